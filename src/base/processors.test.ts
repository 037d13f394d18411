import { afterAll, beforeAll, expect, test } from 'vitest';
import { ScratchFolder } from '../../test/support/scratch-folder.ts';
import { usableProcessors } from './processors.ts';

let scratch: ScratchFolder;
beforeAll(async () => {
  scratch = await ScratchFolder.create();
});
afterAll(() => scratch[Symbol.asyncDispose]());

test.each([
  ['200000 100000\n', 2],
  ['250000 100000\n', 3],
  ['50000 100000\n', 1],
  ['6400000 100000\n', 16],
  ['max 100000\n', 16],
  ['', 16],
])('cgroup v2, cpu.max %j: %i of 16', async (text, expected) => {
  await scratch.put('v2/cpu.max', text);
  expect(usableProcessors(`${scratch.path}/v2`, 16)).toBe(expected);
});

test.each([
  ['400000\n', 4],
  ['-1\n', 16],
])('cgroup v1, quota %j: %i of 16', async (quota, expected) => {
  await scratch.put('v1/cpu/cpu.cfs_quota_us', quota);
  await scratch.put('v1/cpu/cpu.cfs_period_us', '100000\n');
  expect(usableProcessors(`${scratch.path}/v1`, 16)).toBe(expected);
});

test('without control groups all that are available', () => {
  expect(usableProcessors(`${scratch.path}/none`, 16)).toBe(16);
  expect(usableProcessors()).toBeGreaterThanOrEqual(1);
});
