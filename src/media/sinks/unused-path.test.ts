import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ScratchFolder } from '../../../test/support/scratch-folder.ts';
import { unusedPath } from './unused-path.ts';

test('a path that is taken gets a number, and is taken by who asks', async () => {
  await using folder = await ScratchFolder.create();
  const path = (name: string): string => join(folder.path, name);
  await writeFile(path('gate.mp4'), 'old');
  await symlink(path('elsewhere'), path('gate-2.mp4'));
  expect(unusedPath(path('gate.mp4'))).toBe(path('gate-3.mp4'));
  expect(unusedPath(path('gate.mp4'))).toBe(path('gate-4.mp4'));
  expect(unusedPath(path('new.mkv'))).toBe(path('new.mkv'));
  await mkdir(path('folder'));
  expect(unusedPath(path('folder'))).toBe(path('folder'));
  await symlink('/dev/full', path('full.mp4'));
  expect(unusedPath(path('full.mp4'))).toBe(path('full.mp4'));
  expect(unusedPath(path('none/gate.mp4'))).toBe(path('none/gate.mp4'));
  expect(await readdir(folder.path)).not.toContain('elsewhere');
});
