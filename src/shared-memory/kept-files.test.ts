import { randomUUID } from 'node:crypto';
import { existsSync, fstatSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SharedBytes } from '../tensor/shared-bytes.ts';
import { KeptFiles } from './kept-files.ts';
import { fileId, readShared, writeShared } from './shared-file.ts';

const name = `millrace-test-${randomUUID()}`;
const path = (at = 0): string => `/dev/shm/${name}-${at}`;
let files: KeptFiles;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  files = new KeptFiles();
});
afterEach(() => {
  files[Symbol.dispose]();
  vi.useRealTimers();
  for (const file of readdirSync('/dev/shm')) if (file.startsWith(name)) rmSync(`/dev/shm/${file}`);
});

function shared(at = 0, offset = 0, byteSize = 4): SharedBytes {
  if (!existsSync(path(at))) writeFileSync(path(at), Buffer.from([at, 1, 2, 3, 4, 5, 6, 7]));
  return { region: 'r', offset, byteSize, file: { path: path(at), id: fileId(statSync(path(at))), start: 0 } };
}

function openCount(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes(name);
    } catch {
      return false;
    }
  }).length;
}

describe.runIf(existsSync('/dev/shm'))('files that are kept open', () => {
  test('are opened once for many reads and writes', () => {
    const bytes = shared();
    const descriptors = new Set<number>();
    for (let at = 0; at < 3; at++) {
      writeShared({ ...bytes, offset: 4 }, Uint8Array.of(at), files);
      expect([...readShared({ ...bytes, offset: 4, byteSize: 2 }, files)]).toEqual([at, 5]);
      files.use('r', bytes.file as NonNullable<typeof bytes.file>, (fd) => descriptors.add(fd));
    }
    expect(descriptors.size).toBe(1);
    expect(openCount()).toBe(1);
  });

  test('are closed when they were not used for a second', () => {
    const [used, idle] = [shared(0), shared(1)];
    readShared(idle, files);
    readShared(used, files);
    vi.advanceTimersByTime(1000);
    expect(openCount()).toBe(2);
    readShared(used, files);
    vi.advanceTimersByTime(1000);
    expect(openCount()).toBe(1);
    expect(readShared(used, files)[0]).toBe(0);
    vi.advanceTimersByTime(2000);
    expect(openCount()).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(readShared(idle, files)[0]).toBe(1);
  });

  test('are those that were meant, though others have come in their places', () => {
    const first = shared();
    readShared(first, files);
    rmSync(path());
    const second = shared(0, 0, 4);
    writeShared(second, Uint8Array.of(9, 9), files);
    expect([...readShared(first, files)]).toEqual([0, 1, 2, 3]);
    expect([...readShared(second, files)]).toEqual([9, 9, 2, 3]);
    files[Symbol.dispose]();
    expect(() => readShared(first, files)).toThrow("Unable to open shared memory region: 'r'");
  });

  test('are at most 64', () => {
    const all = Array.from({ length: 70 }, (_, at) => shared(at));
    for (const [at, bytes] of all.entries()) expect(readShared(bytes, files)[0]).toBe(at);
    expect(openCount()).toBe(64);
    for (const [at, bytes] of all.entries()) expect(readShared(bytes, files)[0]).toBe(at);
  });

  test('are good for errors, too: one that throws leaves its file open', () => {
    const bytes = shared();
    expect(() => readShared({ ...bytes, byteSize: 9 }, files)).toThrow('shorter than when it was registered');
    expect(() => writeShared(bytes, new Uint8Array(9), files)).toThrow('shorter than when it was registered');
    expect(statSync(path()).size).toBe(8);
    files.use('r', bytes.file as NonNullable<typeof bytes.file>, (fd) => expect(fstatSync(fd).size).toBe(8));
  });
});
