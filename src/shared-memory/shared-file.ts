import { closeSync, constants, fstatSync, openSync, readSync, writeSync, type Stats } from 'node:fs';
import { MillraceError } from '../base/errors.ts';
import type { SharedBytes, SharedFile } from '../tensor/shared-bytes.ts';

/** Memory for so many bytes, with whatever was in it. */
export type Allocate = (bytes: number) => Buffer;

const fresh: Allocate = (bytes) => Buffer.allocUnsafeSlow(bytes);

/**
 * Bytes of a region, copied out. Its file is in memory, so nothing is waited for.
 * @throws MillraceError REGION_INVALID where the file does not reach so far
 */
export function readShared(shared: SharedBytes, allocate = fresh): Buffer {
  const { start } = fileOf(shared);
  const data = allocate(shared.byteSize);
  withFile(shared, constants.O_RDONLY, (fd) => {
    for (let at = 0; at < data.length;) {
      const count = readSync(fd, data, at, data.length - at, start + shared.offset + at);
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
export function writeShared(shared: SharedBytes, data: Uint8Array): void {
  const from = fileOf(shared).start + shared.offset;
  withFile(shared, constants.O_RDWR, (fd, size) => {
    if (size < from + data.byteLength) throw shrunk(shared);
    for (let at = 0; at < data.byteLength;) at += writeSync(fd, data, at, data.byteLength - at, from + at);
  });
}

function fileOf({ file, region }: SharedBytes): SharedFile {
  if (file !== undefined) return file;
  throw new MillraceError('INTERNAL', `shared memory region '${region}' was not looked up: this is a bug`);
}

function withFile(shared: SharedBytes, flags: number, use: (fd: number, size: number) => void): void {
  const { path, id } = fileOf(shared);
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    throw cannotOpen(shared, error);
  }
  try {
    const stats = fstatSync(fd);
    if (fileId(stats) !== id) throw cannotOpen(shared, undefined);
    use(fd, stats.size);
  } finally {
    closeSync(fd);
  }
}

/** What tells a file from any other. */
export function fileId({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

function cannotOpen({ region }: SharedBytes, cause: unknown): MillraceError {
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
