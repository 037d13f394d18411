import { extname } from 'node:path';
import type { Logger } from '../base/logger.ts';
import type { Settings } from '../config/settings.ts';
import { fromStream } from '../ipc/connection.ts';
import { localLauncher, processLauncher, type LaunchedHost } from '../ipc/launcher.ts';
import type { HostProgram } from '../serving/host-pool.ts';
import { launchPython, notLaunched } from '../runtime/python/python-launcher.ts';

/** Host processes; or, with `hosts: 0`, hosts in this process, which then loads models itself and runs no Python. */
export async function hostLauncher(
  settings: Settings,
  logger: Logger,
): Promise<(program: HostProgram) => LaunchedHost> {
  if (settings.hosts > 0) {
    const entry = new URL(`../host/main${extname(import.meta.url)}`, import.meta.url);
    const python = settings.python === undefined ? {} : { MILLRACE_PYTHON: settings.python };
    const env = { ...process.env, ...python, MILLRACE_HOST_LOG_LEVEL: settings.logLevel };
    const launch = processLauncher(entry, env);
    return ({ language, python: runs }) =>
      language === 'python' ? launchPython(runs?.interpreter, env, logger) : launch();
  }
  logger.warn({}, 'hosts: 0 runs everything in this process: a model run blocks the server and has no deadline');
  const { serveHost } = await import('../host/serve-host.ts');
  const launch = localLauncher((stream) => serveHost(fromStream(stream), logger, () => {}));
  return ({ language }) =>
    language === 'python'
      ? notLaunched('hosts is 0, and Python needs a process of its own: 1 or more expected')
      : launch();
}
