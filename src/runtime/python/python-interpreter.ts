import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['python3', 'python'];

/**
 * The interpreter for a Python host: the model's own, else `MILLRACE_PYTHON`, else the first of `python3` and `python` on
 * the path. Its version is for the program itself to check.
 * @param own absolute
 * @throws Error that says what to install or set
 */
export function findInterpreter(own: string | undefined, env: NodeJS.ProcessEnv): string {
  const set = env['MILLRACE_PYTHON'] ?? '';
  const wanted = own ?? (set === '' ? undefined : set);
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  if (wanted !== undefined) {
    const found = wanted.includes('/') ? executable(wanted) : onPath(wanted, folders);
    if (found !== undefined) return found;
    const source = own === undefined ? 'MILLRACE_PYTHON is' : "the model's environment has";
    throw new Error(`${source} "${wanted}", which is no program that can be run: a Python interpreter expected`);
  }
  for (const name of NAMES) {
    const found = onPath(name, folders);
    if (found !== undefined) return found;
  }
  throw new Error(
    `no Python: neither ${NAMES.join(' nor ')} is on the path; install Python 3.9 or newer, or set MILLRACE_PYTHON to an interpreter`,
  );
}

function onPath(name: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    const found = executable(join(folder, name));
    if (found !== undefined) return found;
  }
  return undefined;
}

function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile() ? path : undefined;
  } catch {
    return undefined;
  }
}
