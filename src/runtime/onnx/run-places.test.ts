import { expect, it } from 'vitest';
import type { SessionOpener } from './ort.ts';
import { RunPlaces } from './run-places.ts';

const addon: SessionOpener = { createSession: () => Promise.reject(new Error('not asked for')) };

it('gives models the inference thread with the smallest files, or the caller’s where there is none', () => {
  const places = new RunPlaces();
  const leaves: (() => void)[] = [];
  const thread = (count: number, bytes: number): number => {
    const { place, leave } = places.enter(addon, count, bytes);
    leaves.push(leave);
    return place.thread;
  };
  expect(places.enter(addon, 0, 100).place).toMatchObject({ thread: 0, opener: addon });
  const large = places.enter(addon, 2, 50);
  expect(large.place.thread).toBe(1);
  expect([thread(2, 20), thread(2, 20), thread(2, 20)]).toEqual([2, 2, 2]);
  expect(thread(2, 1)).toBe(1);
  large.leave();
  expect(thread(2, 70), 'the large one is gone').toBe(1);
  expect(thread(1, 1), 'of the first thread alone').toBe(1);
  expect(thread(3, 1)).toBe(3);
  for (const leave of leaves) leave();
});
