import { expect, test } from 'vitest';
import { RequestRate } from './request-rate.ts';

test('as many requests per second as there may be, a second without any saved up', () => {
  let now = 0;
  const rate = new RequestRate('m', { maxPerSecond: 2, maxAtOnce: 0 }, () => now);
  rate.admit();
  rate.admit();
  expect(() => rate.admit()).toThrow(
    "model 'm': 2 requests per second are the limit (rate_limit.max_requests_per_second); there is room again in 500 ms",
  );
  now = 499;
  expect(() => rate.admit()).toThrow(expect.objectContaining({ reason: 'LIMIT_REACHED', code: 'RESOURCE_EXHAUSTED' }));
  now = 501;
  rate.admit();
  now = 60_000;
  rate.admit();
  rate.admit();
  expect(() => rate.admit()).toThrow();
});

test('less than one request per second lets one through now and then', () => {
  let now = 0;
  const rate = new RequestRate('m', { maxPerSecond: 0.5, maxAtOnce: 0 }, () => now);
  rate.admit();
  now = 1900;
  expect(() => rate.admit()).toThrow(/there is room again in 100 ms/);
  now = 2001;
  rate.admit();
});

test('as many at once as there may be', () => {
  const rate = new RequestRate('m', { maxPerSecond: 0, maxAtOnce: 1 });
  const end = rate.admit();
  expect(() => rate.admit()).toThrow(
    "model 'm': 1 requests at once are the limit (rate_limit.max_concurrent_requests)",
  );
  end();
  rate.admit();
});
