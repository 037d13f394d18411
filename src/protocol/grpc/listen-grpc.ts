import type { BufferPool } from '../../base/buffer-pool.ts';
import type { Logger } from '../../base/logger.ts';
import type { Meter } from '../../base/meter.ts';
import type { Guard } from '../../security/guard.ts';
import type { Tls } from '../../security/tls.ts';
import type { DataPlane } from '../../serving/data-plane.ts';
import { noControls, type ServerControls } from '../../serving/server-controls.ts';
import { EXTENSIONS, TRITON_EXTENSIONS } from '../wire/extensions.ts';
import { createCallMeter } from './call-metrics.ts';
import { openGrpcJs, type Transport } from './grpc-js.ts';
import { healthMethods } from './health.ts';
import { inferHandler } from './infer.ts';
import { Messages, MLSERVER_PROTOS, readDescriptorSet, TRITON_PROTOS } from './messages.ts';
import { mlserverMethods } from './mlserver/methods.ts';
import { modelConfigHandler } from './model-config.ts';
import { reflectionMethods } from './reflection.ts';
import { repositoryMethods } from './repository.ts';
import { serverMethods, type ServerIdentity } from './server.ts';
import { settingMethods } from './settings.ts';
import { sharedMemoryMethods } from './shared-memory.ts';
import { statisticsHandler } from './statistics.ts';
import { streamInferHandler } from './stream-infer.ts';
import type { Methods } from './transport.ts';

export interface GrpcOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Of one message, both ways, after decompression. Default 1 GiB. */
  readonly maxMessageBytes?: number | undefined;
  /** Unsent bytes of one stream from which its session is throttled. Default 4 MiB. */
  readonly writeHighWaterBytes?: number | undefined;
  /** Memory for big messages, shared with the connections to the hosts. */
  readonly pool?: BufferPool | undefined;
  /** What ServerMetadata says. Default "millrace". */
  readonly serverName?: string | undefined;
  /** What ServerMetadata says. */
  readonly serverVersion?: string | undefined;
  /** What ServerMetadata says, beside our own. */
  readonly extensions?: readonly string[] | undefined;
  /** Default "triton". */
  readonly dialect?: GrpcDialect | undefined;
  /** What clients may set of the server. Default: nothing. */
  readonly controls?: ServerControls | undefined;
  /** Counts calls by MLServer's names; undefined: they are not counted. */
  readonly meter?: Meter | undefined;
  /** Undefined: not encrypted. */
  readonly tls?: Tls | undefined;
  /** Asks calls for tokens; undefined: everybody may do everything. */
  readonly guard?: Guard | undefined;
}

/**
 * Whose messages and statuses: Triton's, where a stream answers with `ModelStreamInferResponse`, or MLServer's, where it
 * answers with plain `ModelInferResponse` (its sheet, §8).
 */
export type GrpcDialect = 'triton' | 'mlserver';

/**
 * A serving gRPC port. `drain` takes no more calls and resolves when those under way have ended, which open streams may
 * delay for ever; disposing ends them all at once.
 */
export type GrpcListener = Transport;

/** Serves KServe v2 over gRPC, with health and reflection. PORT_IN_USE when the port is taken. */
export async function listenGrpc(options: GrpcOptions, dataPlane: DataPlane, logger: Logger): Promise<GrpcListener> {
  const { host, port, meter } = options;
  const methods = options.dialect === 'mlserver' ? mlserver(options, dataPlane) : triton(options, dataPlane);
  return openGrpcJs(
    {
      host,
      port,
      pool: options.pool,
      maxMessageBytes: options.maxMessageBytes ?? 2 ** 30,
      writeHighWaterBytes: options.writeHighWaterBytes ?? 4 * 2 ** 20,
      meter: meter === undefined ? undefined : createCallMeter(meter, methods),
      tls: options.tls,
      guard: options.guard,
    },
    methods,
    logger,
  );
}

function triton(options: GrpcOptions, dataPlane: DataPlane): Methods {
  const messages = new Messages(TRITON_PROTOS);
  const service = '/inference.GRPCInferenceService/';
  const { sharedMemory, trace, log } = options.controls ?? noControls();
  return {
    ...serverMethods(messages, dataPlane, identityOf(options)),
    ...repositoryMethods(messages, dataPlane),
    ...sharedMemoryMethods(messages, sharedMemory),
    ...settingMethods(messages, trace, log),
    ...healthMethods(messages, dataPlane),
    ...reflectionMethods(messages, readDescriptorSet(TRITON_PROTOS)),
    [`${service}ModelInfer`]: { kind: 'unary', handler: inferHandler(dataPlane) },
    [`${service}ModelStreamInfer`]: { kind: 'stream', handler: streamInferHandler(dataPlane) },
    [`${service}ModelConfig`]: { kind: 'unary', handler: modelConfigHandler(messages, dataPlane) },
    [`${service}ModelStatistics`]: { kind: 'unary', handler: statisticsHandler(messages, dataPlane) },
  };
}

function mlserver(options: GrpcOptions, dataPlane: DataPlane): Methods {
  const messages = new Messages(MLSERVER_PROTOS);
  return {
    ...mlserverMethods(messages, dataPlane, identityOf(options)),
    ...healthMethods(messages, dataPlane),
    ...reflectionMethods(messages, readDescriptorSet(MLSERVER_PROTOS)),
  };
}

function identityOf({
  serverName = 'millrace',
  serverVersion = '0.0.0',
  extensions = [],
  dialect,
}: GrpcOptions): ServerIdentity {
  const known = dialect === 'mlserver' ? EXTENSIONS : TRITON_EXTENSIONS;
  return { name: serverName, version: serverVersion, extensions: [...known, ...extensions] };
}
