import { expect, test } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';

function limiter(perSecond: number | null) {
  let now = 0;
  return { limiter: new RateLimiter(perSecond, () => now), at: (ms: number) => (now = ms) };
}

test('the first batch starts at once; 10 a second, after 50 ms, wait 50 ms', () => {
  const { limiter: rate, at } = limiter(10);
  expect(rate.admit('wait')).toBe(0);
  at(50);
  expect(rate.admit('wait')).toBe(50);
});

test('those that are dropped leave at least 1/fps between the others', () => {
  const { limiter: rate, at } = limiter(10);
  const starts: number[] = [];
  for (let ms = 0; ms <= 1000; ms += 15) {
    at(ms);
    if (rate.admit('drop') === 0) starts.push(ms);
  }
  for (let i = 1; i < starts.length; i++) expect(starts[i]! - starts[i - 1]!).toBeGreaterThanOrEqual(100);
  expect(starts.length).toBeGreaterThanOrEqual(9);
});

test('by the times of a video: 15 frames a second thinned out to 10, to 5, and to none but the first', () => {
  const taken = (perSecond: number | null): number[] => {
    const { limiter: rate } = limiter(perSecond);
    return Array.from({ length: 31 }, (_, i) => i).filter((i) => rate.take((i * 1000) / 15) === 0);
  };
  expect(taken(10).slice(0, 5)).toEqual([0, 2, 3, 5, 6]);
  expect(taken(10)).toHaveLength(21);
  expect(taken(5)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30]);
  expect(taken(0)).toEqual([0]);
  expect(taken(null)).toHaveLength(31);
});

test('a rate of 0 or below stands for one in 100 s; null for none', () => {
  const { limiter: slow } = limiter(-3);
  expect([slow.admit('wait'), slow.admit('wait')]).toEqual([0, 100_000]);
  const { limiter: none } = limiter(null);
  expect([none.admit('drop'), none.admit('drop')]).toEqual([0, 0]);
});
