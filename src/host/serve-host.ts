import { BufferPool } from '../base/buffer-pool.ts';
import type { Logger } from '../base/logger.ts';
import type { OpenStream } from '../ipc/connection.ts';
import { HostServer } from '../ipc/host-server.ts';
import type { MessageStores } from '../ipc/message-store.ts';
import { Host } from './host.ts';

/** More than a front waits for its hosts: a host whose front died ends too, whatever its servables do. */
const STOP_MS = 5000;
/** Memory that is kept for the inputs of later requests. */
const MAX_POOLED_BYTES = 32 * 2 ** 20;

/**
 * Runs a host over a stream until the front goes away; then everything in it ends, and `onClose` is called when it has, after
 * 5 s at the latest.
 * @param onClose told whether everything has ended: what has not may be a model's run on a thread of its own
 */
export function serveHost(
  open: OpenStream,
  logger: Logger,
  onClose: (hasEnded: boolean) => void,
  stores?: MessageStores,
): void {
  const pool = new BufferPool(MAX_POOLED_BYTES);
  const host = new Host(
    {
      runStarted: (deadlineMs, thread) => server.runStarted(deadlineMs, thread),
      runEnded: (loadId, timing, thread) => server.runEnded(loadId, timing, thread),
      metered: (loadId, updates) => server.metered(loadId, updates),
      infer: (loadId, request, cancellation) => server.infer(loadId, request, cancellation),
      acquire: (loadId, need) => server.acquire(loadId, need),
      openSession: (loadId, first, sink) => server.openSession(loadId, first, sink),
      released: (loadId) => server.released(loadId),
    },
    logger,
    pool,
  );
  const server = new HostServer(open, host, {
    onFault: (fault) => {
      const error = fault instanceof Error ? fault : new Error(String(fault));
      logger.error({ error: error.message, stack: error.stack }, 'fault in a host');
    },
    onClose: () => {
      const limit = new Promise<boolean>((resolve) => setTimeout(resolve, STOP_MS, false).unref());
      const stopped = host.stop().then(
        () => true,
        () => false,
      );
      void Promise.race([stopped, limit]).then(onClose);
    },
    pool,
    stores,
  });
}
