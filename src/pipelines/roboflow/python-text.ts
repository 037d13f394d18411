import { asciiJson } from '../../media/sinks/results/payload.ts';

/** A JSON value as Python's `repr` shows it. */
export function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  const entries = Object.entries(value as object).map(([key, each]) => `'${key}': ${pythonRepr(each)}`);
  return `{${entries.join(', ')}}`;
}

/** What Python says of `payload['key']` where the payload is no mapping; undefined where it is one. */
export function indexingFault(value: unknown): string | undefined {
  if (Array.isArray(value)) return 'list indices must be integers or slices, not str';
  if (value !== null && typeof value === 'object') return undefined;
  if (typeof value === 'string') return "string indices must be integers, not 'str'";
  const type =
    value === null ? 'NoneType' : typeof value === 'boolean' ? 'bool' : Number.isInteger(value) ? 'int' : 'float';
  return `'${type}' object is not subscriptable`;
}

/** −2^63, what live sources report as their number of frames; a double holds it, but JSON.stringify rounds its digits. */
export const NO_FRAME_COUNT = -(2 ** 63);

/** JSON as Python's `json.dumps` writes it: ASCII. @param spaced `, ` and `: ` between things, else none */
export function pythonJson(value: unknown, spaced: boolean): string {
  const [comma, colon] = spaced ? [', ', ': '] : [',', ':'];
  const write = (each: unknown): string => {
    if (each === NO_FRAME_COUNT) return '-9223372036854775808';
    if (each === undefined || each === null || typeof each !== 'object') return asciiJson(each ?? null);
    if (Array.isArray(each)) return `[${each.map(write).join(comma)}]`;
    const entries = Object.entries(each).filter(([, one]) => one !== undefined);
    return `{${entries.map(([key, one]) => `${asciiJson(key)}${colon}${write(one)}`).join(comma)}}`;
  };
  return write(value);
}
