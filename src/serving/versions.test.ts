import { expect, test } from 'vitest';
import { areDecimal, findVersion, inOrder } from './versions.ts';

const entries = (...versions: string[]) => versions.map((version) => ({ version }));
const order = (...versions: string[]) => inOrder(entries(...versions)).map(({ version }) => version);

test('numbers are ordered as numbers, other versions as text, and the one without a version is the default', () => {
  expect(order('10', '9', '1')).toEqual(['1', '9', '10']);
  expect(order('v10', 'v9', '1')).toEqual(['1', 'v10', 'v9']);
  expect(order('', '10', '9')).toEqual(['9', '10', '']);
  expect(order('v2', '', 'v1')).toEqual(['v1', 'v2', '']);
});

test('a version is found by its text, or by its number', () => {
  expect(findVersion(entries('1', 'v1.2.3'), 'v1.2.3')).toEqual({ version: 'v1.2.3' });
  expect(findVersion(entries('2', '1'), '01')).toEqual({ version: '1' });
  expect(findVersion(entries('', 'v1'), '0')).toBeUndefined();
  expect(findVersion(entries('1'), 'v1')).toBeUndefined();
});

test('only numbers are decimal', () => {
  expect(areDecimal(entries('1', '20'))).toBe(true);
  expect(areDecimal(entries('1', 'v2'))).toBe(false);
  expect(areDecimal(entries(''))).toBe(false);
});
