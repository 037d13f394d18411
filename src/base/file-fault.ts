import { messageOf } from './errors.ts';

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'it is a folder, a file expected',
  EACCES: 'this user may not read it',
};

/** Why a file could not be read, for people; the path is for the caller to name. */
export function fileFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return FAULTS[code] ?? messageOf(error);
}
