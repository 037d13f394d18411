import { ServerCredentials, setLogger } from '@grpc/grpc-js';
import type { BufferPool } from '../../base/buffer-pool.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { grpcAccess } from '../../security/access.ts';
import type { Guard } from '../../security/guard.ts';
import type { Tls } from '../../security/tls.ts';
import { GrpcJsStreamCall, GrpcJsUnaryCall, type CallParts } from './grpc-js-calls.ts';
import type { CallMeter } from './call-metrics.ts';
import { checkGrpcJsVersion, DirectServer, type DirectCall, type Windows } from './grpc-js-patches.ts';
import type { Method, Methods } from './transport.ts';

/** Measured in research: grpc-js's 64 KiB windows cost a round trip per 64 KiB of tensor. */
const WINDOWS: Windows = {
  streamBytes: 8 * 1024 * 1024,
  connectionBytes: 16 * 1024 * 1024,
  maxFrameBytes: 1024 * 1024,
};

/** How often a connection is asked whether its client is still there, and how long the answer may take. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

/** Time for the last statuses to reach their clients before connections are cut. */
const GOODBYE_MS = 250;

export interface TransportOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Both ways, after decompression. */
  readonly maxMessageBytes: number;
  /** Unsent bytes of one call from which its `write` returns false. */
  readonly writeHighWaterBytes: number;
  /** For big messages: requests lie in its memory, and what is sent goes back to it. */
  readonly pool: BufferPool | undefined;
  /** Counts calls; undefined: nobody does. */
  readonly meter?: CallMeter | undefined;
  /** Undefined: not encrypted. */
  readonly tls?: Tls | undefined;
  /** Asks calls for tokens; undefined: nobody does. */
  readonly guard?: Guard | undefined;
}

export interface Transport extends AsyncDisposable {
  readonly port: number;
  /** Takes no more calls (GOAWAY) and resolves when those under way have ended. An open stream keeps it waiting. */
  drain(): Promise<void>;
}

/** Serves `methods` with @grpc/grpc-js. Disposing ends all calls at once; clients see UNAVAILABLE. */
export async function openGrpcJs(options: TransportOptions, methods: Methods, logger: Logger): Promise<Transport> {
  checkGrpcJsVersion();
  logThrough(logger);
  const server = new DirectServer(
    {
      'grpc.max_receive_message_length': options.maxMessageBytes,
      'grpc.max_send_message_length': options.maxMessageBytes,
      'grpc.enable_channelz': 0,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    },
    WINDOWS,
    options.pool,
    options.tls,
  );
  const { writeHighWaterBytes, meter, guard } = options;
  const parts: CallParts = { logger, writeHighWaterBytes, live: new Set(), meter, guard };
  for (const [path, method] of Object.entries(methods)) {
    grpcAccess(path);
    server.handle(path, (call) => startCall(call, path, method, parts));
  }
  const port = await bind(server, options);
  let drained: Promise<void> | undefined;
  const drain = (): Promise<void> => {
    drained ??= new Promise((resolve, reject) => {
      server.tryShutdown((error) => (error === undefined ? resolve() : reject(error)));
    });
    return drained;
  };
  return {
    port,
    drain,
    async [Symbol.asyncDispose]() {
      const ended = drain();
      const error = new MillraceError('SHUTTING_DOWN', 'the server is shutting down');
      for (const call of parts.live) call.stop(error);
      const timer = setTimeout(() => server.forceShutdown(), GOODBYE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** grpc-js writes to standard error what it also reports; here that goes to the log, for who wants it. There is one for all servers. */
function logThrough(logger: Logger): void {
  const debug = (message: unknown): void => logger.debug({ source: 'grpc-js' }, String(message));
  setLogger({ error: debug, info: debug, debug });
}

function startCall(call: DirectCall, path: string, method: Method, parts: CallParts): void {
  call.start(
    method.kind === 'unary'
      ? new GrpcJsUnaryCall(call, path, parts, method.handler)
      : new GrpcJsStreamCall(call, path, parts, method.handler),
  );
}

function credentialsOf(tls: Tls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { cert, key, clientCa = null } = tls.material;
  return ServerCredentials.createSsl(clientCa, [{ cert_chain: cert, private_key: key }], tls.asksClients);
}

function bind(server: DirectServer, { host, port, tls }: TransportOptions): Promise<number> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentialsOf(tls), (error, bound) => {
      if (error === null) resolve(bound);
      else if (error.message.includes('EADDRINUSE')) {
        reject(
          new MillraceError('PORT_IN_USE', `gRPC: ${address} is in use by another process`, {
            details: { host, port },
            cause: error,
          }),
        );
      } else {
        reject(
          new MillraceError('CONFIG_INVALID', `gRPC: cannot listen on ${address}: ${error.message}`, { cause: error }),
        );
      }
    });
  });
}
