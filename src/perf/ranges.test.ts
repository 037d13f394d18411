import { expect, it } from 'vitest';
import { parseLevels } from './ranges.ts';

it.each([
  ['4', [4]],
  ['1:4', [1, 2, 3, 4]],
  ['1:16:5', [1, 6, 11, 16]],
  ['1:10:x2', [1, 2, 4, 8]],
  ['0.5:1.5:0.5', [0.5, 1, 1.5]],
])('%s', (text, levels) => {
  expect(parseLevels(text)).toEqual(levels);
});

it.each(['', 'x', '0', '4:1', '1:4:0', '1:4:x1', '1:2:3:4', '-1'])('refuses "%s"', (text) => {
  expect(() => parseLevels(text)).toThrow(/given, .* expected/);
});
