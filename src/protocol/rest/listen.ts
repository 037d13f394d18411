import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { messageOf, MillraceError } from '../../base/errors.ts';
import { LISTEN_BACKLOG } from '../../base/listen-backlog.ts';
import type { SecureServer } from '../../security/tls.ts';
import { buildRestApp } from './app.ts';
import type { RestOptions, RestParts } from './parts.ts';

/** How often connections that became idle are closed while draining. */
const IDLE_SWEEP_MS = 50;

/** The REST front while it listens. */
export interface RestListener extends AsyncDisposable {
  /** The port in use, also when 0 was asked for. */
  readonly port: number;
  /**
   * Stops accepting, closes idle connections and resolves when the running requests, streams included, have ended. Requests
   * that still arrive on open connections get 503. Idempotent.
   */
  drain(): Promise<void>;
  /** Aborts: cuts every connection, which cancels what runs. Idempotent. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts the REST front. Throws `PORT_IN_USE` or, where the address cannot be used at all, `CONFIG_INVALID`. */
export async function listenRest(options: RestOptions, parts: RestParts): Promise<RestListener> {
  return listenWith(await buildRestApp(options, parts), options, 'REST');
}

/**
 * Listens with a built application, which is closed when that fails.
 * @param what the port is for: for messages
 */
export async function listenWith(
  app: FastifyInstance,
  { host, port, tls }: Pick<RestOptions, 'host' | 'port' | 'tls'>,
  what: string,
): Promise<RestListener> {
  try {
    // For "localhost" fastify listens twice, with a second server that we know nothing of.
    await app.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port, backlog: LISTEN_BACKLOG });
  } catch (error) {
    await app.close();
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    if (isErrno(error) && error.code === 'EADDRINUSE') {
      throw new MillraceError('PORT_IN_USE', `${what}: ${address} is in use by another process`, {
        details: { host, port },
        cause: error,
      });
    }
    throw new MillraceError('CONFIG_INVALID', `${what}: cannot listen on ${address}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (tls !== undefined) app.server.once('close', tls.serve(app.server as unknown as SecureServer));
  return new Listener(app);
}

class Listener implements RestListener {
  readonly port: number;
  readonly #app: FastifyInstance;
  #closing: Promise<void> | undefined;

  constructor(app: FastifyInstance) {
    this.#app = app;
    this.port = (app.server.address() as AddressInfo).port;
  }

  drain(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.drain();
    this.#app.server.closeAllConnections();
    await closing;
  }

  async #close(): Promise<void> {
    // A connection whose request ends while we drain would stay open for its keep-alive time.
    const sweep = setInterval(() => this.#app.server.closeIdleConnections(), IDLE_SWEEP_MS);
    try {
      await this.#app.close();
    } finally {
      clearInterval(sweep);
    }
  }
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
