import { didYouMean, listed } from '../../../base/nearest.ts';
import { parseTextFormat, type TextField, type TextMessage, type TextValue } from '../../../graph/text-format.ts';
import type { FieldType, Message, ScalarName } from './message-type.ts';

type AnyMessage = Extract<FieldType<unknown>, { readonly kind: 'message' }>;

/** What was read, and whether a field was in the text: by path, as `input[0].dims`. */
export interface ReadText<T> {
  readonly value: T;
  /** Line of the field that was given first, by its path without positions, as `input.dims`. */
  readonly lines: ReadonlyMap<string, number>;
}

/**
 * Reads protobuf text as a message of `type`.
 * @param file as messages should name it
 * @throws GraphError where the text is none; Error with every field that cannot be taken, as `file:line: path: …`
 */
export function readText<F extends FieldType<unknown> & AnyMessage>(
  type: F,
  text: string,
  file: string,
): ReadText<Message<F>> {
  return readFields(type, parseTextFormat(text, file), file);
}

/** The same of a text that is parsed already; line 0 is none. */
export function readFields<F extends FieldType<unknown> & AnyMessage>(
  type: F,
  message: TextMessage,
  file: string,
): ReadText<Message<F>> {
  const reader = new MessageReader(file);
  const value = reader.message(type, message, '') as Message<F>;
  if (reader.faults.length > 0) throw new Error(reader.faults.join('; '));
  return { value, lines: reader.lines };
}

class MessageReader {
  readonly faults: string[] = [];
  readonly lines = new Map<string, number>();
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  message(type: AnyMessage, text: TextMessage, path: string): Record<string, unknown> {
    const read: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(type.fields)) read[name] = emptyValue(field);
    const given = new Set<string>();
    for (const field of text.fields) {
      const at = path === '' ? field.name : `${path}.${field.name}`;
      const known = !field.bracketed && Object.hasOwn(type.fields, field.name) ? type.fields[field.name] : undefined;
      if (known === undefined) {
        this.#fault(
          field,
          `${type.name} has no field "${field.name}"${didYouMean(field.name, Object.keys(type.fields))}`,
        );
        continue;
      }
      if (!this.lines.has(at)) this.lines.set(at, field.line);
      this.#field(known, field, at, read, given.has(field.name));
      given.add(field.name);
    }
    this.#oneofs(type, text, given);
    return read;
  }

  #field(
    type: FieldType<unknown>,
    field: TextField,
    at: string,
    read: Record<string, unknown>,
    isAgain: boolean,
  ): void {
    const { name, value } = field;
    if (type.kind === 'repeated') (read[name] as unknown[]).push(this.#value(type.of, value, field, at));
    else if (type.kind === 'map') this.#entry(type, field, at, read[name] as Record<string, unknown>);
    else if (field.isListed === true) this.#fault(field, `${at}: a list given, one value expected`);
    else if (isAgain) this.#fault(field, `${at}: given twice; remove one of the two`);
    else read[name] = this.#value(type, value, field, at);
  }

  /** `{ key: … value: … }`; a later one of a key counts. */
  #entry(
    type: Extract<FieldType<unknown>, { readonly kind: 'map' }>,
    field: TextField,
    at: string,
    read: Record<string, unknown>,
  ): void {
    const { value } = field;
    if (value.kind !== 'message') {
      this.#fault(field, `${at}: ${shown(value)} given, { key: … value: … } expected`);
      return;
    }
    const scalar: FieldType<unknown> = { kind: 'scalar', scalar: type.key };
    const entry = {
      kind: 'message',
      name: `${at} entry`,
      fields: { key: scalar, value: type.of },
      oneofs: [],
    } as const;
    const pair = this.message(entry, value, at);
    read[String(pair['key'])] =
      pair['value'] ?? (type.of.kind === 'message' ? this.message(type.of, NO_FIELDS, at) : undefined);
  }

  #value(type: FieldType<unknown>, value: TextValue, field: TextField, at: string): unknown {
    if (type.kind === 'message') {
      if (value.kind === 'message') return this.message(type, value, at);
      this.#fault(field, `${at}: ${shown(value)} given, a message { … } expected`);
      return undefined;
    }
    if (type.kind === 'enum') return this.#enum(type.names, value, field, at);
    if (type.kind !== 'scalar') throw new Error(`${at}: ${type.kind} within a list: this is a bug`);
    const read = scalarValue(type.scalar, value);
    if (read === undefined) this.#fault(field, `${at}: ${shown(value)} given, ${EXPECTED[type.scalar]} expected`);
    return read;
  }

  #enum(names: readonly string[], value: TextValue, field: TextField, at: string): unknown {
    const name =
      value.kind === 'number' ? names[Number(value.text)] : value.kind === 'identifier' ? value.text : undefined;
    if (name !== undefined && names.includes(name)) return name;
    const meant = value.kind === 'message' ? '' : didYouMean(value.text, names);
    this.#fault(
      field,
      `${at}: ${shown(value)} given, ${meant === '' ? `one of ${listed(names)}` : 'another value'} expected${meant}`,
    );
    return names[0];
  }

  #oneofs(type: AnyMessage, text: TextMessage, given: ReadonlySet<string>): void {
    for (const group of type.oneofs) {
      const both = group.filter((name) => given.has(name));
      if (both.length < 2) continue;
      const second = text.fields.find(({ name }) => name === both[1]);
      this.#fault(second ?? text, `${type.name}: ${both.join(' and ')} given, one of ${group.join(', ')} expected`);
    }
  }

  #fault({ line }: { readonly line: number }, problem: string): void {
    this.faults.push(`${this.#file}${line === 0 ? '' : `:${line}`}: ${problem}`);
  }
}

const NO_FIELDS: TextMessage = { kind: 'message', fields: [], line: 0 };

/** The value of a field that is not given. */
export function emptyValue(type: FieldType<unknown>): unknown {
  switch (type.kind) {
    case 'repeated':
      return [];
    case 'map':
      return {};
    case 'enum':
      return type.names[0];
    case 'message':
      return undefined;
    case 'scalar':
      if (type.isOptional === true) return undefined;
      return type.scalar === 'string' ? '' : type.scalar === 'bool' ? false : 0;
  }
}

const EXPECTED: Readonly<Record<ScalarName, string>> = {
  string: 'a text in quotes',
  bool: 'true or false',
  int32: 'a whole number of 32 bits',
  uint32: 'a whole number from 0 of 32 bits',
  int64: 'a whole number up to 2^53',
  uint64: 'a whole number from 0 up to 2^53',
  float: 'a number',
  double: 'a number',
};

const RANGES: Readonly<Partial<Record<ScalarName, readonly [number, number]>>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

function scalarValue(scalar: ScalarName, value: TextValue): string | number | boolean | undefined {
  if (scalar === 'string') return value.kind === 'string' ? value.text : undefined;
  if (value.kind !== 'number' && value.kind !== 'identifier') return undefined;
  if (scalar === 'bool') {
    if (/^(true|True|t|1)$/.test(value.text)) return true;
    return /^(false|False|f|0)$/.test(value.text) ? false : undefined;
  }
  if (value.kind !== 'number') return undefined;
  const range = RANGES[scalar];
  if (range === undefined) return Number(value.text.replace(/(?<=\d|\.)[fF]$/, ''));
  const [sign, digits] = value.text.startsWith('-') ? [-1, value.text.slice(1)] : [1, value.text];
  if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(digits)) return undefined;
  const number = sign * Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return number >= range[0] && number <= range[1] ? number : undefined;
}

function shown(value: TextValue): string {
  if (value.kind === 'message') return 'a message';
  return value.kind === 'string' ? JSON.stringify(value.text) : value.text;
}
