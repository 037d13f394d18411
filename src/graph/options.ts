import { resolve } from 'node:path';
import { z } from 'zod';
import { didYouMean } from '../base/nearest.ts';
import { GraphError } from './graph-error.ts';
import type { OptionFields, OptionMessage, OptionValue } from './graph-config.ts';
import { camelCase } from './parse-graph-config.ts';

/** What this module reads of a zod schema: kind, and the inner schemas. */
interface SchemaDefinition {
  readonly type: string;
  readonly innerType?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly in?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly entries?: object;
}

/**
 * Parses option messages with a calculator's schema: snake_case becomes camelCase, one value where the schema wants a list
 * becomes a list, unknown fields are refused. Of several messages later ones win field by field. Throws `INVALID_ARGUMENT`.
 * @param folder where relative paths of `fileOption`s begin; the process's own unless given
 */
export function parseOptions<Schema extends z.core.$ZodType>(
  schema: Schema,
  messages: readonly OptionMessage[],
  folder = '',
): z.core.output<Schema> {
  const merged: Record<string, unknown> = {};
  for (const { fields, type } of messages) Object.assign(merged, coerceFields(schema, fields, type, folder));
  const result = (schema as unknown as z.ZodType<z.core.output<Schema>>).safeParse(merged);
  if (result.success) return result.data;
  const text = result.error.issues.map((issue) => {
    const path = issue.path.map(String).join('.');
    return path === '' ? issue.message : `${snakeCase(path)}: ${issue.message}`;
  });
  throw new GraphError('INVALID_ARGUMENT', `options: ${text.join('; ')}`);
}

/** Whether the option at `path`, names as in a graph file, is a list. */
export function isListOption(schema: z.core.$ZodType, path: readonly string[]): boolean {
  const definition = unwrap(schema);
  const [name, ...rest] = path;
  if (name === undefined) return definition.type === 'array';
  const inner = definition.shape?.[camelCase(name)];
  return inner !== undefined && isListOption(inner, rest);
}

function coerceFields(
  schema: z.core.$ZodType,
  fields: OptionFields,
  where: string,
  folder: string,
): Record<string, unknown> {
  const { shape } = unwrap(schema);
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const key = camelCase(name);
    const inner = shape !== undefined && Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (shape !== undefined && inner === undefined) {
      const suggestion = didYouMean(name, Object.keys(shape).map(snakeCase));
      throw new GraphError('INVALID_ARGUMENT', `${where || 'options'} has no field "${name}"${suggestion}`);
    }
    result[shape === undefined ? name : key] = inner === undefined ? value : coerce(inner, value, name, folder);
  }
  return result;
}

function coerce(schema: z.core.$ZodType, value: OptionValue, name: string, folder: string): unknown {
  const definition = unwrap(schema);
  switch (definition.type) {
    case 'array': {
      const list = Array.isArray(value) ? (value as readonly OptionValue[]) : [value];
      const { element } = definition;
      return element === undefined ? list : list.map((item) => coerce(element, item as OptionValue, name, folder));
    }
    case 'object':
      return isFields(value) ? coerceFields(schema, value, name, folder) : value;
    case 'record': {
      const { valueType } = definition;
      if (!isFields(value) || valueType === undefined) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, coerce(valueType, item, key, folder)]),
      );
    }
    case 'boolean':
      return typeof value === 'string' || typeof value === 'number' ? (BOOLEANS.get(String(value)) ?? value) : value;
    case 'bigint':
      return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value;
    case 'number':
      return typeof value === 'bigint' ? Number(value) : value;
    case 'enum':
      return typeof value === 'number' ? (enumNumbers.get(definition.entries ?? {})?.get(value) ?? value) : value;
    case 'string':
      return typeof value === 'string' && value !== '' && files.has(definition) ? resolve(folder, value) : value;
    default:
      return value;
  }
}

/** Definitions of schemas of files. */
const files = new WeakSet<object>();

/** An option that names a file. A graph file's relative paths begin in its own folder; the calculator gets an absolute one. */
export function fileOption(): z.ZodString {
  const option = z.string().min(1);
  files.add(option._zod.def);
  return option;
}

/** Names by number, per entries of an enum. */
const enumNumbers = new WeakMap<object, ReadonlyMap<number, string>>();

/** An option that is one of a protobuf enum's names; graph files may write its number instead. */
export function enumOption<const Numbers extends Readonly<Record<string, number>>>(
  numbers: Numbers,
): z.ZodEnum<{ [Name in keyof Numbers & string]: Name }> {
  const option = z.enum(Object.keys(numbers) as (keyof Numbers & string)[]);
  enumNumbers.set(option._zod.def.entries, new Map(Object.entries(numbers).map(([name, number]) => [number, name])));
  return option as unknown as z.ZodEnum<{ [Name in keyof Numbers & string]: Name }>;
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['t', true],
  ['True', true],
  ['1', true],
  ['f', false],
  ['False', false],
  ['0', false],
]);

function isFields(value: OptionValue): value is OptionFields {
  return typeof value === 'object' && !Array.isArray(value);
}

/** The schema's own definition under optional, default, nullable and the like. */
function unwrap(schema: z.core.$ZodType): SchemaDefinition {
  const definition = schema._zod.def as unknown as SchemaDefinition;
  const inner = definition.innerType ?? (definition.type === 'pipe' ? definition.in : undefined);
  return inner === undefined ? definition : unwrap(inner);
}

/** `keepEvery` as graph files write it: `keep_every`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
