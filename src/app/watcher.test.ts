import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchFiles } from './watcher.ts';

let file: string;
beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'millrace-watch-')), 'config.json');
  await writeFile(file, '1');
});
afterEach(() => rm(join(file, '..'), { recursive: true }));

/** Watches the file every 5 ms; `changes` counts. */
function watch(sinceMs: number): Disposable & { readonly changes: number } {
  let changes = 0;
  const watching = watchFiles(
    () => [file],
    sinceMs,
    5,
    async () => void changes++,
  );
  return {
    get changes() {
      return changes;
    },
    [Symbol.dispose]: () => watching[Symbol.dispose](),
  };
}

test('a file that changes, goes or comes back is a change each time', async () => {
  using watched = watch((await stat(file)).ctimeMs);
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));
  await settled();
  expect(watched.changes).toBe(0);
  await writeFile(file, '22');
  await expect.poll(() => watched.changes).toBe(1);
  await rm(file);
  await expect.poll(() => watched.changes).toBe(2);
  await writeFile(file, '22');
  await expect.poll(() => watched.changes).toBe(3);
});

test('a file that changed after it was read and before the first look has changed', async () => {
  const { ctimeMs } = await stat(file);
  using watched = watch(ctimeMs - 1);
  await expect.poll(() => watched.changes).toBe(1);
});
