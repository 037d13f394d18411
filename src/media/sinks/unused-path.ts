import { closeSync, openSync, statSync } from 'node:fs';
import { join, parse } from 'node:path';

const MOST = 10_000;

/**
 * The path of a file that is there for its writer alone, from now on: `path`, or with a number before its extension
 * (`gate-2.mp4`) where that is taken. What is there and no file, such as a pipe or a folder, is taken as it is; where no file can be made it is
 * `path`: its writer says why.
 */
export function unusedPath(path: string): string {
  const { dir, name, ext } = parse(path);
  for (let number = 1; number <= MOST; number++) {
    const candidate = number === 1 ? path : join(dir, `${name}-${number}${ext}`);
    try {
      closeSync(openSync(candidate, 'wx'));
      return candidate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return path;
      const there = statSync(candidate, { throwIfNoEntry: false });
      if (there !== undefined && !there.isFile()) return candidate;
    }
  }
  return path;
}
