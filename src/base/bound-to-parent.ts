import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';

export const SETPRIV = '/usr/bin/setpriv';
const PROBE_MS = 2000;

/** Of a child: the command line with which it gets `signal` when this process dies, however it does. */
export type Binding = (
  path: string,
  args: readonly string[],
  signal: 'KILL' | 'TERM',
) => readonly [string, readonly string[]];

/**
 * The child's parent stays this process: setpriv becomes the program. Linux with util-linux; elsewhere the command line is as it
 * is given, and the child has to notice by itself.
 */
export const boundToParent: Binding = (path, args, signal) =>
  process.platform === 'linux' && isExecutable(SETPRIV)
    ? [SETPRIV, ['--pdeathsig', signal, '--', path, ...args]]
    : [path, args];

/** As `boundToParent`, but asks setpriv first whether it can: BusyBox's cannot. Takes a few milliseconds. */
export function soundBinding(): Binding {
  if (process.platform !== 'linux' || !isExecutable(SETPRIV)) return asGiven;
  const { stdout } = spawnSync(SETPRIV, ['--help'], { encoding: 'utf8', timeout: PROBE_MS });
  return String(stdout).includes('--pdeathsig') ? boundToParent : asGiven;
}

const asGiven: Binding = (path, args) => [path, args];

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
