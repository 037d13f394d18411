import { extname } from 'node:path';
import type { Logger } from '../base/logger.ts';
import type { Settings } from '../config/settings.ts';
import { fromStream } from '../ipc/connection.ts';
import { localLauncher, processLauncher, type Launcher } from '../ipc/launcher.ts';

/** Host processes; or, with `hosts: 0`, hosts in this process, which then loads models itself. */
export async function hostLauncher(settings: Settings, logger: Logger): Promise<Launcher> {
  if (settings.hosts > 0) {
    const entry = new URL(`../host/main${extname(import.meta.url)}`, import.meta.url);
    return processLauncher(entry, { ...process.env, MILLRACE_HOST_LOG_LEVEL: settings.logLevel });
  }
  logger.warn({}, 'hosts: 0 runs everything in this process: a model run blocks the server and has no deadline');
  const { serveHost } = await import('../host/serve-host.ts');
  return localLauncher((stream) => serveHost(fromStream(stream), logger, () => {}));
}
