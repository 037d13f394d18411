/** The program of a host process; its front is at the other end of fd 3. */
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';
import type { Level } from 'pino';
import { letHeapGrow } from '../base/heap-growth.ts';
import { createLogger } from '../observability/logger.ts';
import type { OpenStream } from '../ipc/connection.ts';
import { inheritedStores } from '../ipc/launcher.ts';
import { serveHost } from './serve-host.ts';

/** Taken from the socket at once, into the same memory each time. */
const READ_BYTES = 256 * 1024;

letHeapGrow();

// A Ctrl-C reaches the whole process group; when to end is the front's to say, by closing the socket.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

const logger = createLogger((process.env['MILLRACE_HOST_LOG_LEVEL'] ?? 'info') as Level).child({ pid: process.pid });
const openSocket: OpenStream = (onBytes) => {
  const callback = (length: number, buffer: Uint8Array): boolean => {
    onBytes((buffer as Buffer).subarray(0, length));
    return true;
  };
  const options: SocketConstructorOpts & { onread: OnReadOpts } = {
    fd: 3,
    onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback },
  };
  return new Socket(options);
};
/** With a model's run under way on an inference thread an exit would be an abort. */
const exit = (hasEnded: boolean): void => void (hasEnded ? process.exit(0) : process.kill(process.pid, 'SIGKILL'));
serveHost(openSocket, logger, exit, inheritedStores(process.env));
