import { closeSync, constants, fstatSync, openSync, readSync, writeSync, type Stats } from 'node:fs';
import { MillraceError } from '../base/errors.ts';
import type { SharedBytes, SharedFile } from '../tensor/shared-bytes.ts';

/** Memory for so many bytes, with whatever was in it. */
export type Allocate = (bytes: number) => Buffer;

/** How the files of regions are come by. */
export interface SharedFiles {
  /**
   * Calls `use` with a descriptor for reading and writing, which is good until it returns.
   * @throws MillraceError REGION_INVALID where the file is not there any more
   */
  use<T>(region: string, file: SharedFile, use: (fd: number) => T): T;
}

/** Opened for each use, and closed after it. */
export const openedFiles: SharedFiles = {
  use(region, file, use) {
    const fd = openShared(region, file, constants.O_RDWR);
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  },
};

const fresh: Allocate = (bytes) => Buffer.allocUnsafeSlow(bytes);

/**
 * Bytes of a region, copied out. Its file is in memory, so nothing is waited for.
 * @throws MillraceError REGION_INVALID where the file does not reach so far
 */
export function readShared(shared: SharedBytes, files = openedFiles, allocate = fresh): Buffer {
  const file = fileOf(shared);
  const data = allocate(shared.byteSize);
  files.use(shared.region, file, (fd) => {
    for (let at = 0; at < data.length;) {
      const count = readSync(fd, data, at, data.length - at, file.start + shared.offset + at);
      if (count === 0) throw shrunk(shared);
      at += count;
    }
  });
  return data;
}

/**
 * Copies `data` to the beginning of a region's bytes.
 * @throws MillraceError REGION_INVALID where the file does not reach so far: it is never made longer
 */
export function writeShared(shared: SharedBytes, data: Uint8Array, files = openedFiles): void {
  const file = fileOf(shared);
  const from = file.start + shared.offset;
  files.use(shared.region, file, (fd) => {
    if (fstatSync(fd).size < from + data.byteLength) throw shrunk(shared);
    for (let at = 0; at < data.byteLength;) at += writeSync(fd, data, at, data.byteLength - at, from + at);
  });
}

function fileOf({ file, region }: SharedBytes): SharedFile {
  if (file !== undefined) return file;
  throw new MillraceError('INTERNAL', `shared memory region '${region}' was not looked up: this is a bug`);
}

/**
 * Opens the file of a region, and no other that has come in its place.
 * @throws MillraceError REGION_INVALID
 */
export function openShared(region: string, { path, id }: SharedFile, flags: number): number {
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    throw cannotOpen(region, error);
  }
  if (fileId(fstatSync(fd)) === id) return fd;
  closeSync(fd);
  throw cannotOpen(region, undefined);
}

/** What tells a file from any other. */
export function fileId({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

function cannotOpen(region: string, cause: unknown): MillraceError {
  return new MillraceError('REGION_INVALID', `Unable to open shared memory region: '${region}'`, {
    code: 'INTERNAL',
    details: { region },
    cause,
  });
}

function shrunk({ region }: SharedBytes): MillraceError {
  return new MillraceError(
    'REGION_INVALID',
    `shared memory region '${region}' is shorter than when it was registered`,
    {
      details: { region },
    },
  );
}
