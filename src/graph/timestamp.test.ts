import { expect, test } from 'vitest';
import {
  addToTimestamp,
  isPacketTimestamp,
  isRangeTimestamp,
  nextTimestamp,
  offsetBound,
  prevTimestamp,
  Timestamp,
  timestampName,
} from './timestamp.ts';

test('special timestamps are in order', () => {
  const values = Object.values(Timestamp);
  expect(values).toEqual(values.toSorted((a, b) => (a < b ? -1 : 1)));
  expect([Timestamp.Unset, Timestamp.Done]).toEqual([-(2n ** 63n), 2n ** 63n - 1n]);
});

test.each([
  [Timestamp.PreStream, Timestamp.OneOverPostStream],
  [Timestamp.Unstarted, Timestamp.Min],
  [Timestamp.Min, Timestamp.Min + 1n],
  [-1n, 0n],
  [Timestamp.Max, Timestamp.OneOverPostStream],
  [Timestamp.PostStream, Timestamp.OneOverPostStream],
])('after %s comes %s', (t, next) => expect(nextTimestamp(t)).toBe(next));

test.each([
  [Timestamp.PreStream, Timestamp.Unstarted],
  [Timestamp.Min, Timestamp.Unstarted],
  [0n, -1n],
  [Timestamp.PostStream, Timestamp.Unstarted],
  [Timestamp.OneOverPostStream, Timestamp.Max],
  [Timestamp.Done, Timestamp.Max],
])('a stream with the bound %s is settled up to %s', (t, prev) => expect(prevTimestamp(t)).toBe(prev));

test.each([
  [Timestamp.PreStream, 0n, Timestamp.Min],
  [10n, 0n, 11n],
  [10n, 5n, 16n],
  [10n, -10n, 1n],
  [Timestamp.Max, 0n, Timestamp.PostStream],
  [Timestamp.Max, -10n, Timestamp.Max - 9n],
  [Timestamp.PostStream, 0n, Timestamp.OneOverPostStream],
])('inputs at %s with the offset %s give the bound %s', (t, offset, bound) => {
  expect(offsetBound(t, offset)).toBe(bound);
});

test('sums stay among the range values', () => {
  expect(addToTimestamp(Timestamp.Max, 1n)).toBe(Timestamp.Max);
  expect(addToTimestamp(Timestamp.Min, -1n)).toBe(Timestamp.Min);
});

test('packets may be at range values, PreStream and PostStream', () => {
  const names = Object.entries(Timestamp).filter(([, t]) => isPacketTimestamp(t));
  expect(names.map(([name]) => name)).toEqual(['PreStream', 'Min', 'Max', 'PostStream']);
  expect(isRangeTimestamp(Timestamp.PreStream)).toBe(false);
  expect(isRangeTimestamp(-5n)).toBe(true);
});

test('special values are named, others are numbers', () => {
  expect(timestampName(Timestamp.PreStream)).toBe('Timestamp::PreStream()');
  expect(timestampName(-7n)).toBe('-7');
});
