import { delimiter, join } from 'node:path';
import { isExecutable } from '../../base/bound-to-parent.ts';
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
