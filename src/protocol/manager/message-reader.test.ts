import { expect, test } from 'vitest';
import { parseMessage } from './message-reader.ts';

test('NaN and the infinities are null, and left alone in texts', () => {
  const text = String.raw`{"a": NaN, "b": [-Infinity, Infinity], "NaN": "\"NaN\\", "c": "Infinity"}`;
  expect(parseMessage(Buffer.from(text))).toEqual({ a: null, b: [null, null], NaN: '"NaN\\', c: 'Infinity' });
});

test('a hostile message takes time in proportion to its length', () => {
  for (const text of [`"${'\\"'.repeat(500_000)}`, '"'.repeat(1e6 + 1), '-'.repeat(1e6), '"\\'.repeat(500_000)]) {
    expect(() => parseMessage(Buffer.from(text))).toThrow('not in a JSON format');
  }
}, 20_000);
