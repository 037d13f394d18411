import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { MillraceError, messageOf } from '../../../base/errors.ts';

/**
 * The interpreter of a Python environment.
 * @throws MillraceError CONFIG_INVALID where there is none
 */
export async function interpreterOf(environment: string): Promise<string> {
  const interpreter = join(environment, 'bin', 'python');
  if ((await stat(interpreter).catch(() => undefined))?.isFile() === true) return interpreter;
  throw invalid(`"${environment}" given, a folder with bin/python expected`);
}

/** With `~` at its beginning and `$NAME` or `${NAME}` filled in, as a shell does; an unknown name stays (Python's `expandvars`). */
export function expandPath(path: string, environment: Readonly<Record<string, string | undefined>>): string {
  return path
    .replace(/^~(?=\/|$)/, () => environment['HOME'] ?? homedir())
    .replace(
      /\$(?:(\w+)|\{([^{}]+)\})/g,
      (whole, plain?: string, braced?: string) => environment[plain ?? braced ?? ''] ?? whole,
    );
}

/**
 * Unpacks a packed environment to `<folder>/<sha256 of the tarball>`, where it is not there yet (MLServer sheet §11).
 * @returns the environment's folder
 * @throws MillraceError CONFIG_INVALID where it is no archive, or cannot be written
 */
export async function unpackEnvironment(tarball: string, folder: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(tarball), hash).catch((error: unknown) => {
    throw invalid(`"${tarball}" cannot be read: ${messageOf(error)}`);
  });
  const target = join(folder, hash.digest('hex'));
  if ((await stat(target).catch(() => undefined))?.isDirectory() === true) return target;
  await mkdir(folder, { recursive: true });
  // Beside its place, and renamed when it is whole: another process may be doing the same.
  const partial = await mkdtemp(join(folder, 'unpacking-'));
  try {
    await promisify(execFile)('tar', ['-xf', tarball, '-C', partial]);
    await rename(partial, target).catch(async (error: unknown) => {
      if ((await stat(target).catch(() => undefined)) === undefined) throw error;
    });
    return target;
  } catch (error) {
    throw invalid(
      `"${tarball}" cannot be unpacked to ${folder}: ${messageOf(error).split('\n').slice(0, 2).join(' ')}`,
    );
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
