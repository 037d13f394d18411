import { GraphError, isRangeTimestamp, Timestamp, timestampName } from '../graph/index.ts';

const SPECIAL: ReadonlyMap<string, bigint> = new Map([
  ['PRESTREAM', Timestamp.PreStream],
  ['POSTSTREAM', Timestamp.PostStream],
  ['MIN', Timestamp.Min],
  ['MAX', Timestamp.Max],
]);
const NAMES = new Map([...SPECIAL].map(([name, t]) => [t, name]));

/**
 * A packet's timestamp as files write it: microseconds, or PRESTREAM, POSTSTREAM, MIN, MAX.
 * @throws GraphError INVALID_ARGUMENT
 */
export function toTimestamp(time: unknown): bigint {
  const special = typeof time === 'string' ? SPECIAL.get(time) : undefined;
  if (special !== undefined) return special;
  if (typeof time === 'bigint') return time;
  if (typeof time === 'number' && Number.isSafeInteger(time)) return BigInt(time);
  const names = [...SPECIAL.keys()].join(', ');
  throw new GraphError('INVALID_ARGUMENT', `timestamp is ${JSON.stringify(time)}, whole µs or ${names} expected`);
}

/** The same as JSON. */
export function printTimestamp(t: bigint): string {
  const name = NAMES.get(t);
  if (name !== undefined) return `"${name}"`;
  return isRangeTimestamp(t) ? String(t) : `"${timestampName(t)}"`;
}
