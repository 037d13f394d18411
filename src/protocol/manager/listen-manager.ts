import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { messageOf, MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { RoboflowCommands } from '../../pipelines/roboflow/commands.ts';
import type { Tls } from '../../security/tls.ts';
import { serveConnection, type ConnectionOptions } from './connection.ts';

export interface ManagerListenOptions extends ConnectionOptions {
  /** IP address or host name. */
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly tls?: Tls | undefined;
}

/** Connections at once; more wait in the system's queue, or are refused. */
const MAX_CONNECTIONS = 4096;
const BACKLOG = 1024;

/** The stream manager's port while it listens. */
export interface ManagerListener extends AsyncDisposable {
  readonly port: number;
  /** Takes no more connections; resolves when those that are open have closed. */
  drain(): Promise<void>;
}

/** Listens for Roboflow's stream manager protocol. @throws MillraceError PORT_IN_USE, CONFIG_INVALID */
export async function listenManager(
  options: ManagerListenOptions,
  commands: RoboflowCommands,
  logger: Logger,
): Promise<ManagerListener> {
  const onConnection = (socket: Socket): void => {
    socket.setNoDelay(true);
    serveConnection(socket, commands, options);
  };
  const { tls, host, port } = options;
  const server: Server =
    tls === undefined
      ? createTcpServer({ allowHalfOpen: true }, onConnection)
      : createTlsServer({ ...tls.serverOptions, allowHalfOpen: true }, onConnection);
  server.maxConnections = MAX_CONNECTIONS;
  // With TLS these come before their handshakes, which may not come at all.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  if (tls !== undefined) {
    server.once('close', tls.serve(server as ReturnType<typeof createTlsServer>));
    server.on('tlsClientError', () => {}); // a handshake that failed concerns nobody else
  }
  await listen(server, host, port);
  server.on('error', (error) => logger.error({ error: error.message }, 'stream manager port'));

  let closing: Promise<void> | undefined;
  const drain = (): Promise<void> => (closing ??= new Promise((resolve) => server.close(() => resolve())));
  return {
    port: (server.address() as AddressInfo).port,
    drain,
    [Symbol.asyncDispose]: async () => {
      const closed = drain();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      const isTaken = error.code === 'EADDRINUSE';
      const text = isTaken
        ? `${address} is in use by another process`
        : `cannot listen on ${address}: ${messageOf(error)}`;
      const options = { details: { host, port }, cause: error };
      reject(new MillraceError(isTaken ? 'PORT_IN_USE' : 'CONFIG_INVALID', `stream manager: ${text}`, options));
    });
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}
