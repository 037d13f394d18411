import { expect, test } from 'vitest';
import { Gathering } from './gathering.ts';

test('after a run the clients that it answered are waited for, a quarter of its time at most', () => {
  const gathering = new Gathering();
  gathering.runEnded(100, 3, 8, 1);
  expect(gathering.waitMs(100, 1)).toBe(2);
  expect(gathering.waitMs(101, 3)).toBe(1);
  expect(gathering.waitMs(101, 4)).toBe(0);
  expect(gathering.waitMs(103, 1)).toBe(0);
  gathering.runEnded(100, 3, 60_000, 1);
  expect(gathering.waitMs(100, 1)).toBe(20);
});

test('nobody waits for a client that comes alone', () => {
  const gathering = new Gathering();
  gathering.runEnded(100, 1, 8, 0);
  expect(gathering.waitMs(100, 1)).toBe(0);
});

test('waits in vain are not repeated for a while, those that pay are', () => {
  const gathering = new Gathering();
  const waitAfterRun = (waiting: number): number => {
    gathering.runEnded(100, 3, 8, waiting);
    return gathering.waitMs(100, waiting);
  };
  expect(waitAfterRun(1)).toBe(2);
  gathering.runStarts(4);
  expect(waitAfterRun(1)).toBe(2);
  gathering.runStarts(1);
  for (let run = 0; run < 16; run++) {
    expect(waitAfterRun(1)).toBe(0);
    gathering.runStarts(1);
  }
  expect(waitAfterRun(1)).toBe(2);
});
