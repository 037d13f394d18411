import { MillraceError } from '../../base/errors.ts';
import { JsonParameter, Uint64, type Parameters, type ParameterValue } from '../../tensor/parameters.ts';
import type { JsonReader, JsonValue } from './json-reader.ts';

/** By whose rules a JSON body is read and written. */
export type JsonDialect = 'triton' | 'mlserver';

/** What a JSON body may hold. */
export interface JsonRules {
  /** MLServer's: `null` for what is absent and for NaN, FP16 as numbers, no reserved parameters (its sheet, §2). */
  readonly dialect: JsonDialect;
  /** Parameters may be any JSON, as a `JsonParameter`. */
  readonly anyParameters: boolean;
}

export const TRITON_RULES: JsonRules = { dialect: 'triton', anyParameters: false };

/** Parameters that MLServer's clients print as null when they are not set. */
const DECLARED_PARAMETERS: readonly string[] = ['content_type', 'headers'];

/** What a JSON value is, for messages. */
export function kindOf(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return 'a string';
  if (typeof value === 'boolean') return `the boolean ${value}`;
  return typeof value === 'bigint' ? `the integer ${value}` : `the number ${value}`;
}

/** @param field what it is, as it should read in a message: `input "x": "shape"` */
export function wrongType(field: string, value: JsonValue, expected: string): MillraceError {
  return new MillraceError('MALFORMED_REQUEST', `${field} is ${kindOf(value)}, ${expected} expected`, {
    details: { field, expected },
  });
}

export function missingField(field: string): MillraceError {
  return new MillraceError('MALFORMED_REQUEST', `${field} is missing`, { details: { field } });
}

export function readText(reader: JsonReader, field: string): string {
  if (reader.peek() === 34) return reader.string();
  throw wrongType(field, reader.value(), 'a string');
}

/** Reads an object, or refuses another kind of value by name. */
export function readObject(reader: JsonReader, field: string, onKey: (key: string) => void): void {
  const c = reader.peek();
  if (c === -1) reader.fail('an object');
  if (c !== 123) throw wrongType(field, reader.value(), 'an object');
  reader.object(onKey);
}

export function readArray(reader: JsonReader, field: string, onItem: (index: number) => void): void {
  if (reader.peek() !== 91) throw wrongType(field, reader.value(), 'an array');
  reader.array(onItem);
}

const MAX_SIZE = BigInt(Number.MAX_SAFE_INTEGER);

/** A dimension: an integer of 0 or more. */
export function readDimension(reader: JsonReader, field: string): number {
  const value = reader.value();
  if (typeof value === 'bigint' && value >= 0n && value <= MAX_SIZE) return Number(value);
  throw wrongType(field, value, 'an integer of 0 or more');
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

/** Whether a parameter can hold `value`; integers become int64. */
export function isParameter(value: JsonValue): value is Exclude<ParameterValue & JsonValue, null> {
  if (typeof value === 'bigint') return value >= MIN_INT64 && value <= MAX_INT64;
  return typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string';
}

/** Only as uint64 it is an integer of 64 bits. */
function isBeyondInt64(value: bigint): boolean {
  return value > MAX_INT64 && value <= MAX_UINT64;
}

export function invalidParameter(key: string, value: JsonValue, expected: string): MillraceError {
  const range = typeof value === 'bigint' && expected === PARAMETER_TYPES ? ' (beyond 64 bits)' : '';
  return new MillraceError(
    'INVALID_PARAMETER',
    `parameter '${key}' has invalid type: it is ${kindOf(value)}${range}, ${expected} expected`,
    { details: { parameter: key, expected } },
  );
}

export const PARAMETER_TYPES = 'a boolean, an integer, a number or a string';

/** The expected types of parameters with a meaning of their own (KServe sheet §1.3, §3.1). */
const RESERVED: Readonly<Record<string, { expected: string; accepts: (value: ParameterValue) => boolean }>> = {
  sequence_id: {
    expected: 'an unsigned integer or a string',
    accepts: (v) => isUnsigned(v) || typeof v === 'string' || v instanceof Uint64,
  },
  sequence_start: { expected: 'a boolean', accepts: (v) => typeof v === 'boolean' },
  sequence_end: { expected: 'a boolean', accepts: (v) => typeof v === 'boolean' },
  priority: { expected: 'an unsigned integer', accepts: isUnsigned },
  timeout: { expected: 'an unsigned integer (microseconds)', accepts: isUnsigned },
  binary_data_output: { expected: 'a boolean', accepts: (v) => typeof v === 'boolean' },
};

function isUnsigned(value: ParameterValue): boolean {
  return typeof value === 'bigint' && value >= 0n;
}

/** Reads the parameters of a request, an input or an output; undefined when there are none. */
export function readParameters(
  reader: JsonReader,
  field: string,
  rules: JsonRules = TRITON_RULES,
): Parameters | undefined {
  let parameters: Record<string, ParameterValue> | undefined;
  if (takeNull(reader, rules)) return undefined;
  readObject(reader, field, (key) => {
    const value = readParameter(reader, key, rules);
    if (value === undefined) return;
    parameters ??= emptyParameters();
    parameters[key] = value;
  });
  return parameters;
}

/** Undefined: it is null, and that means absent. */
function readParameter(reader: JsonReader, key: string, rules: JsonRules): ParameterValue | undefined {
  const first = reader.peek();
  if (key === 'headers' && rules.dialect === 'mlserver' && first !== 123 && first !== 110) {
    throw invalidParameter(key, reader.value(), 'an object');
  }
  if (first === 110 && rules.dialect === 'mlserver' && (!rules.anyParameters || DECLARED_PARAMETERS.includes(key))) {
    reader.value();
    return undefined;
  }
  if (rules.anyParameters && (first === 123 || first === 91 || first === 110)) return readJsonParameter(reader, key);
  const value = reader.value();
  if (key === 'sequence_id' && typeof value === 'bigint' && isBeyondInt64(value)) return new Uint64(value);
  if (!isParameter(value)) throw invalidParameter(key, value, PARAMETER_TYPES);
  if (rules.dialect === 'mlserver' && key === 'content_type' && typeof value !== 'string') {
    throw invalidParameter(key, value, 'a string');
  }
  return value;
}

function readJsonParameter(reader: JsonReader, key: string): JsonParameter {
  const { start, end } = reader.slice();
  const text = reader.bytes.toString('utf8', start, end);
  try {
    JSON.parse(text);
  } catch {
    throw new MillraceError('INVALID_PARAMETER', `parameter '${key}' is not valid JSON`, {
      details: { parameter: key },
    });
  }
  return new JsonParameter(text);
}

/** Passes over a null that means absent in MLServer's dialect; false if the next value is another. */
export function takeNull(reader: JsonReader, { dialect }: JsonRules): boolean {
  if (dialect !== 'mlserver' || reader.peek() !== 110) return false;
  reader.value();
  return true;
}

export function emptyParameters(): Record<string, ParameterValue> {
  return Object.create(null) as Record<string, ParameterValue>;
}

/** Refuses a request's parameters that are reserved or have a fixed type that was not kept. */
export function checkRequestParameters(parameters: Parameters): void {
  for (const key in parameters) {
    const value = parameters[key] as ParameterValue;
    if (key.startsWith('triton_')) {
      throw new MillraceError(
        'INVALID_PARAMETER',
        `parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified; got '${key}'`,
        { details: { parameter: key } },
      );
    }
    const rule = RESERVED[key];
    if (rule !== undefined && Object.hasOwn(RESERVED, key) && !rule.accepts(value)) {
      throw invalidParameter(key, value as JsonValue, rule.expected);
    }
  }
}

/** `parameters` without `key`; undefined when nothing is left. */
export function withoutKey(parameters: Parameters | undefined, key: string): Parameters | undefined {
  if (parameters === undefined || !(key in parameters)) return parameters;
  let rest: Record<string, ParameterValue> | undefined;
  for (const [name, value] of Object.entries(parameters)) {
    if (name === key) continue;
    rest ??= emptyParameters();
    rest[name] = value;
  }
  return rest;
}
