import { expect, test } from 'vitest';
import { didYouMean, knownNames, nearest } from './nearest.ts';

test.each([
  ['prot', 'port'],
  ['PORT', 'port'],
  ['rest', 'rest_port'],
  ['re', undefined],
  ['x', undefined],
  ['pt', undefined],
  ['something', undefined],
])('the nearest of port and rest_port to %s is %s', (name, expected) => {
  expect(nearest(name, ['port', 'rest_port'])).toBe(expected);
});

test('an unknown name gets the one that was meant, else those that there are', () => {
  expect(didYouMean('nothing', ['input'])).toBe('');
  expect(knownNames('input', 'inptu', ['input', 'other'])).toBe('; did you mean "input"?');
  expect(knownNames('input', 'x', ['input', 'other'])).toBe('; it has input "input", "other"');
  expect(knownNames('input', 'x', [])).toBe('; it has no input');
  const many = Array.from({ length: 12 }, (_, at) => `tensor${at}`);
  expect(knownNames('input', 'x', many)).toMatch(/"tensor8", "tensor9", …$/);
});
