import { expect, it } from 'vitest';
import { halfToNumber, numberToHalf } from './half.ts';

it('every half comes back from its number, but for NaN, which has one form', () => {
  for (let bits = 0; bits < 65536; bits++) {
    const value = halfToNumber(bits);
    expect(numberToHalf(value)).toBe(Number.isNaN(value) ? 0x7e00 : bits);
  }
});

it.each([
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [65519.99, 0x7bff],
  [65520, 0x7c00],
  [-Infinity, 0xfc00],
  [-0, 0x8000],
  [2 ** -24, 1],
  [2 ** -25, 0],
  [2 ** -25 * 1.0001, 1],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [2 - 2 ** -12, 0x4000],
  [2 ** -14 - 2 ** -26, 0x0400],
])('%d is rounded to the nearest half, ties to even', (value, bits) => {
  expect(numberToHalf(value)).toBe(bits);
});
