import { expect, test } from 'vitest';
import { Gathering } from './gathering.ts';

/** Runs of 1 row that took 5 ms and of 3 that took 9: 3 ms of each are saved by a run saved. */
function withCost(): Gathering {
  const gathering = new Gathering();
  gathering.runEnded(0, 1, 1, 5, 0);
  gathering.runEnded(50, 3, 3, 9, 1);
  return gathering;
}

test('after a run the clients that it answered are waited for, at first a quarter of its time at most', () => {
  const gathering = new Gathering();
  gathering.runEnded(100, 3, 3, 8, 1);
  expect(gathering.waitMs(100, 1)).toBe(2);
  expect(gathering.waitMs(101, 3)).toBe(1);
  expect(gathering.waitMs(101, 4)).toBe(0);
  expect(gathering.waitMs(103, 1)).toBe(0);
});

test('once runs of several sizes have told what one costs whatever its rows, for so long at most', () => {
  const gathering = withCost();
  expect(gathering.waitMs(50, 1)).toBe(3);
  expect(gathering.waitMs(51, 2)).toBe(2);
  expect(gathering.waitMs(53, 3)).toBe(0);
});

test('and not at all where a run costs as much as its rows', () => {
  const gathering = new Gathering();
  gathering.runEnded(0, 1, 1, 5, 0);
  gathering.runEnded(50, 8, 8, 40, 1);
  expect(gathering.waitMs(50, 1)).toBe(0);
});

test('the wait for one more ends with what it can bring', () => {
  const gathering = new Gathering();
  gathering.runEnded(0, 1, 1, 18, 0);
  gathering.runEnded(100, 8, 8, 18, 1);
  expect(gathering.waitMs(100, 1)).toBe(18);
  expect(gathering.waitMs(101, 4)).toBeCloseTo(19 / 4);
  expect(gathering.waitMs(103, 4)).toBeCloseTo(21 / 4 - 2);
  expect(gathering.waitMs(104, 8)).toBeCloseTo(22 / 8);
  expect(gathering.waitMs(107, 8)).toBeCloseTo(25 / 8 - 3);
  expect(gathering.waitMs(108, 8)).toBe(0);
});

test('no wait is longer than 20 ms', () => {
  const gathering = new Gathering();
  gathering.runEnded(100, 3, 3, 60_000, 1);
  expect(gathering.waitMs(100, 1)).toBe(20);
});

test('nobody waits for a client that comes alone', () => {
  const gathering = new Gathering();
  gathering.runEnded(100, 1, 1, 8, 0);
  expect(gathering.waitMs(100, 1)).toBe(0);
});

test('waits in vain are not repeated for a while, those that bring all are', () => {
  const gathering = new Gathering();
  const waitAfterRun = (waiting: number): number => {
    gathering.runEnded(100, 3, 3, 8, waiting);
    return gathering.waitMs(100, waiting);
  };
  expect(waitAfterRun(1)).toBe(2);
  expect(gathering.waitMs(101, 4)).toBe(0);
  gathering.runStarts();
  expect(waitAfterRun(1)).toBe(2);
  expect(gathering.waitMs(102, 3)).toBe(0);
  gathering.runStarts();
  for (let run = 0; run < 16; run++) {
    expect(waitAfterRun(1)).toBe(0);
    gathering.runStarts();
  }
  expect(waitAfterRun(1)).toBe(2);
});
