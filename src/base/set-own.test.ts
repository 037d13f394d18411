import { expect, it } from 'vitest';
import { setOwn } from './set-own.ts';

it('sets every key as one of the record’s own', () => {
  const record: Record<string, string> = {};
  setOwn(record, 'a', '1');
  setOwn(record, '__proto__', '2');
  expect(Object.entries(record)).toEqual([
    ['a', '1'],
    ['__proto__', '2'],
  ]);
  expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
});
