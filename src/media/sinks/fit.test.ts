import { expect, it } from 'vitest';
import { fitted } from './fit.ts';

const gray = (width: number, height: number, values: number[]) =>
  ({ width, height, format: 'gray', data: Uint8Array.from(values) }) as const;

it('a picture of the right size stays what it is', () => {
  const picture = gray(2, 1, [1, 2]);
  expect(fitted(picture, { width: 2, height: 1, format: 'gray' })).toBe(picture);
});

it('a smaller one is enlarged as far as fits, between black bars', () => {
  const { data } = fitted(gray(1, 2, [5, 9]), { width: 4, height: 4, format: 'gray' });
  expect([...data]).toEqual([0, 5, 5, 0, 0, 5, 5, 0, 0, 9, 9, 0, 0, 9, 9, 0]);
});

it('a larger one is reduced', () => {
  const { data } = fitted(gray(4, 2, [1, 2, 3, 4, 5, 6, 7, 8]), { width: 2, height: 1, format: 'gray' });
  expect([...data]).toEqual([6, 8]);
});

it('another format is a fault', () => {
  expect(() => fitted(gray(1, 1, [0]), { width: 1, height: 1, format: 'jpeg' })).toThrow(
    'a gray picture after jpeg ones',
  );
});
