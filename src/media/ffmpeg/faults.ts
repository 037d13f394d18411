import type { Exit } from './media-process.ts';
import { withoutOrigin } from './origin.ts';

/** Why a source or sink failed, for programs to act on. */
export type FaultCause =
  | 'not_found'
  | 'refused'
  | 'unauthorized'
  | 'timeout'
  | 'unreachable'
  | 'tls'
  | 'permission'
  | 'busy'
  | 'full'
  | 'unreadable'
  | 'no_video'
  | 'killed'
  | 'stalled'
  | 'no_display'
  | 'lost';

/** What ffmpeg (4.4 to 7) and libc say, first match first. */
const CAUSES: readonly (readonly [RegExp, FaultCause])[] = [
  [/Could not initialize SDL|Failed to create window or renderer/i, 'no_display'],
  [/\b401\b|Unauthorized|\b403\b|Forbidden|Authorization failed/i, 'unauthorized'],
  [/\b404\b|No such file or directory|No such device/i, 'not_found'],
  [/Connection refused/i, 'refused'],
  [/timed? ?out/i, 'timeout'],
  [/resolve hostname|Name or service not known|No route to host|Network is unreachable/i, 'unreachable'],
  [/\btls\b|certificate/i, 'tls'],
  [/Permission denied|Operation not permitted|Read-only file system/i, 'permission'],
  [/resource busy/i, 'busy'],
  [/No space left|Disk quota exceeded|File too large/i, 'full'],
  [/does not contain any stream|matches no streams/i, 'no_video'],
  [/Invalid data found|moov atom not found|could not find codec parameters|Is a directory/i, 'unreadable'],
];

/** @param fallback where ffmpeg did not say */
export function causeOf(exit: Exit, fallback: FaultCause): FaultCause {
  const found = CAUSES.find(([pattern]) => pattern.test(exit.stderr))?.[1];
  if (found !== undefined) return found;
  return exit.signal === null ? fallback : 'killed';
}

/** The end of a program in words, with the last that it said. */
export function exitText(exit: Exit): string {
  const how = exit.signal === null ? `exit code ${exit.code ?? 'none'}` : `killed by ${exit.signal}`;
  const lines = exit.stderr.split('\n').filter((line) => line.trim() !== '');
  const said = withoutOrigin(lines.slice(-2).join('; '));
  return said === '' ? how : `${said} (${how})`;
}
