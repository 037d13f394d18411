import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { MillraceError } from '../../base/errors.ts';

export type Program = 'ffmpeg' | 'ffprobe' | 'ffplay';

/**
 * Path of one of ffmpeg's programs.
 * @throws MillraceError FFMPEG_MISSING with what to install
 */
export function findProgram(program: Program): string {
  const path = onPath(program);
  if (path !== undefined) return path;
  throw new MillraceError(
    'FFMPEG_MISSING',
    `${program} is not on the PATH: install ffmpeg (Debian, Ubuntu: apt-get install ffmpeg; macOS: brew install ffmpeg; ` +
      `Windows: winget install ffmpeg)`,
    { details: { program } },
  );
}

function onPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  return folders.map((folder) => join(folder, file)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const SETPRIV = '/usr/bin/setpriv';

/**
 * The command line with which a child gets `signal` when this process dies, however it does: a decoder that waits for a
 * stalled camera would not notice otherwise. Linux with util-linux; elsewhere the child must find its pipe broken.
 */
export function boundToParent(
  path: string,
  args: readonly string[],
  signal: 'KILL' | 'TERM',
): readonly [string, readonly string[]] {
  if (process.platform !== 'linux' || !isExecutable(SETPRIV)) return [path, args];
  return [SETPRIV, ['--pdeathsig', signal, '--', path, ...args]];
}
