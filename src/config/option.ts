import { z } from 'zod';
import { OPTION_GROUPS, settingsSchema, type OptionName } from './settings.ts';

/** What the schema says of one option, for help, documentation and messages. */
export interface Option {
  readonly name: OptionName;
  readonly group: string;
  readonly description: string;
  readonly type: 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array';
  /** "" where the type says it all. */
  readonly unit: string;
  /** For people; undefined where there is none. */
  readonly defaultText: string | undefined;
  /** What a value must be, for people. */
  readonly expected: string;
  readonly values: readonly string[] | undefined;
  /** Other spellings of `values`, in lower case. */
  readonly synonyms: Readonly<Record<string, string>>;
  /** Not for the file's `server` section. */
  readonly isFileless: boolean;
  readonly schema: z.ZodType;
}

interface FieldSchema {
  readonly type: Option['type'];
  readonly description: string;
  readonly unit?: string;
  readonly default?: unknown;
  readonly defaultText?: string;
  readonly enum?: readonly string[];
  readonly items?: { readonly enum?: readonly string[] };
  readonly minimum?: number;
  readonly maximum?: number;
  readonly synonyms?: Readonly<Record<string, string>>;
  readonly fileless?: boolean;
}

/** All options in the order of the schema. */
export const OPTIONS: ReadonlyMap<OptionName, Option> = new Map(
  Object.entries(OPTION_GROUPS).flatMap(([group, fields]) =>
    (Object.keys(fields) as OptionName[]).map((name) => [name, describe(name, group)] as const),
  ),
);

export function isOptionName(name: string): name is OptionName {
  return (OPTIONS as ReadonlyMap<string, Option>).has(name);
}

/** The name of an option's environment variable. */
export function environmentName(name: OptionName): string {
  return `MILLRACE_${name.toUpperCase()}`;
}

/** `1073741824` as `1073741824 (1 GiB)`; other values as JSON, texts bare. */
export function formatValue(value: unknown, unit: string): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.join(',');
  if (typeof value !== 'number' || unit !== 'bytes') return JSON.stringify(value);
  for (const [power, suffix] of [
    [3, 'GiB'],
    [2, 'MiB'],
    [1, 'KiB'],
  ] as const) {
    if (value >= 1024 ** power && value % 1024 ** power === 0) return `${value} (${value / 1024 ** power} ${suffix})`;
  }
  return String(value);
}

function describe(name: OptionName, group: string): Option {
  const schema = settingsSchema.shape[name];
  const field = z.toJSONSchema(schema, { io: 'input' }) as unknown as FieldSchema;
  const unit = field.unit ?? '';
  return {
    name,
    group,
    schema,
    unit,
    description: field.description,
    type: field.type,
    defaultText: field.defaultText ?? defaultText(field.default, unit),
    expected: expectation(field),
    values: field.enum,
    synonyms: field.synonyms ?? {},
    isFileless: field.fileless ?? false,
  };
}

function defaultText(value: unknown, unit: string): string | undefined {
  const text = formatValue(value, unit);
  return text === '' ? undefined : text;
}

function expectation(field: FieldSchema): string {
  if (field.enum !== undefined) return field.enum.join(', ');
  if (field.type === 'boolean') return 'true or false';
  if (field.type === 'string') return 'a text';
  if (field.type === 'array') {
    return `a list of ${field.items?.enum?.join(', ') ?? 'texts'} (separated by commas outside the file)`;
  }
  if (field.type === 'object') return 'a JSON object of texts, numbers and booleans';
  const noun = field.type === 'integer' ? 'a whole number' : 'a number';
  const { minimum, maximum } = field;
  if (minimum === undefined) return noun;
  return maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
    ? `${noun} from ${minimum}`
    : `${noun} from ${minimum} to ${maximum}`;
}
