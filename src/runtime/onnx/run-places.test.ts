import { expect, it } from 'vitest';
import { RunPlaces } from './run-places.ts';

it('gives models the inference thread with the smallest files, or the caller’s where there is none', () => {
  const places = new RunPlaces();
  const thread = (count: number, bytes: number) => places.enter(count, bytes).place.thread;
  expect(thread(0, 100)).toBe(0);
  const large = places.enter(2, 50);
  expect(large.place.thread).toBe(1);
  expect([thread(2, 20), thread(2, 20), thread(2, 20)]).toEqual([2, 2, 2]);
  expect(thread(2, 1)).toBe(1);
  large.leave();
  expect(thread(2, 70), 'the large one is gone').toBe(1);
  expect(thread(1, 1), 'of the first thread alone').toBe(1);
  expect(thread(3, 1)).toBe(3);
});
