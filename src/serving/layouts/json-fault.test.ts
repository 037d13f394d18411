import { expect, test } from 'vitest';
import { findJsonFault } from './json-fault.ts';

test.each([
  ['', 0, 'a value'],
  ['{"a": 1', 7, '"," or "}"'],
  ['{"a": 1 "b": 2}', 8, '"," or "}"'],
  ['{"a": 1,}', 8, 'a key in double quotes'],
  ['{a: 1}', 1, 'a key in double quotes'],
  ['{"a" 1}', 5, '":"'],
  ['[1, oops]', 4, 'a value'],
  ['[1,]', 3, 'a value'],
  ['{} x', 3, 'the end of the file'],
  ['{"a": 01}', 7, '"," or "}"'],
  ['// comment', 0, 'a value'],
])('%j is wrong at %i, where %s should be', (text, offset, expected) => {
  expect(() => JSON.parse(text) as unknown).toThrow();
  expect(findJsonFault(text)).toEqual({ offset, expected });
});

test('a text without its closing quote is wrong where it starts', () => {
  expect(findJsonFault('{"a": "b\n}')?.offset).toBe(6);
});

test.each(['{}', '[]', ' {"a": [1, -2.5e3, "x\\u00e9\\n", true, null], "b": {}} ', '0'])('%j is JSON', (text) => {
  expect(findJsonFault(text)).toBeUndefined();
});
