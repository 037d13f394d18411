import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { MillraceError } from '../base/errors.ts';
import { NO_QUOTA } from './servable-spec.ts';
import { SessionTimers } from './session-timers.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('a session is idle when nothing has touched it for so long', () => {
  const expired: MillraceError[] = [];
  const timers = new SessionTimers({ ...NO_QUOTA, idleTimeoutMs: 100 }, (error) => expired.push(error));
  vi.advanceTimersByTime(90);
  timers.touch();
  vi.advanceTimersByTime(99);
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(expired).toMatchObject([
    {
      reason: 'LIMIT_REACHED',
      code: 'DEADLINE_EXCEEDED',
      message: 'the session was idle for 100 ms, which is the limit (session_idle_timeout_ms)',
    },
  ]);
});

test('a session that is open for too long expires however busy it is', () => {
  const expired: MillraceError[] = [];
  const timers = new SessionTimers({ ...NO_QUOTA, maxDurationMs: 100 }, (error) => expired.push(error));
  vi.advanceTimersByTime(99);
  timers.touch();
  vi.advanceTimersByTime(1);
  expect(expired).toMatchObject([{ details: { setting: 'session_max_duration_ms', limit: 100 } }]);
});

test('closed timers, and those without limits, hold nothing', () => {
  const timers = new SessionTimers({ ...NO_QUOTA, idleTimeoutMs: 1, maxDurationMs: 1 }, () => expect.unreachable());
  expect(vi.getTimerCount()).toBe(2);
  timers.close();
  timers.touch();
  new SessionTimers(NO_QUOTA, () => expect.unreachable());
  expect(vi.getTimerCount()).toBe(0);
});
