import type { Logger } from '../base/logger.ts';
import type { OpenStream } from '../ipc/connection.ts';
import { HostServer } from '../ipc/host-server.ts';
import { Host } from './host.ts';

/** Runs a host over a stream until the front goes away; then everything in it ends and `onClose` is called. */
export function serveHost(open: OpenStream, logger: Logger, onClose: () => void): void {
  const host = new Host(
    {
      runStarted: (deadlineMs) => server.runStarted(deadlineMs),
      runEnded: (loadId, timing) => server.runEnded(loadId, timing),
    },
    logger,
  );
  const server = new HostServer(
    open,
    host,
    (fault) => {
      const error = fault instanceof Error ? fault : new Error(String(fault));
      logger.error({ error: error.message, stack: error.stack }, 'fault in a host');
    },
    () => void host.stop().finally(onClose),
  );
}
