import {
  Client,
  credentials,
  Metadata,
  type ChannelCredentials,
  type ClientUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';
import { decodeInferResponse } from '../protocol/wire/infer-codec.ts';
import type { ModelConfigResponse__Output } from '../protocol/wire/generated/inference/ModelConfigResponse.ts';
import type { ModelMetadataResponse__Output } from '../protocol/wire/generated/inference/ModelMetadataResponse.ts';
import type { ModelReadyResponse__Output } from '../protocol/wire/generated/inference/ModelReadyResponse.ts';
import type { ModelStatisticsResponse__Output } from '../protocol/wire/generated/inference/ModelStatisticsResponse.ts';
import type { RepositoryIndexResponse__Output } from '../protocol/wire/generated/inference/RepositoryIndexResponse.ts';
import type { ServerLiveResponse__Output } from '../protocol/wire/generated/inference/ServerLiveResponse.ts';
import type { ServerMetadataResponse__Output } from '../protocol/wire/generated/inference/ServerMetadataResponse.ts';
import type { ServerReadyResponse__Output } from '../protocol/wire/generated/inference/ServerReadyResponse.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import { messageOf, sendFramed } from './framing.ts';
import { methodOf } from './grpc-service.ts';
import { cancelSoon, InferStream, type StreamDialect } from './infer-stream.ts';
import { InferenceError, statusName } from './inference-error.ts';
import {
  DEFAULT_TIMEOUT_MS,
  headersOf,
  type CallOptions,
  type ClientRequest,
  type ConnectionOptions,
} from './request.ts';

export interface GrpcClientOptions extends ConnectionOptions {
  /** `host:port`. */
  readonly address: string;
  /** Largest message, either way. Default 1 GiB. */
  readonly maxMessageBytes?: number | undefined;
  /** A connection of this client's own rather than one shared by all clients of an address. Default false. */
  readonly ownConnection?: boolean | undefined;
}

export interface StreamOptions extends CallOptions {
  /** `mlserver`: answers are plain responses, as on MLServer's port. Default `triton`, which OVMS speaks too. */
  readonly dialect?: StreamDialect | undefined;
}

const INFER = '/inference.GRPCInferenceService/ModelInfer';
const STREAM_INFER = '/inference.GRPCInferenceService/ModelStreamInfer';
const same = (bytes: Buffer): Buffer => bytes;

/** Questions change nothing, so they are asked again where the server could not be reached. An inference is not. */
const QUESTIONS = ['ServerLive', 'ServerReady', 'ModelReady', 'ServerMetadata', 'ModelMetadata', 'ModelConfig'];
const SERVICE_CONFIG = JSON.stringify({
  methodConfig: [
    {
      name: QUESTIONS.map((method) => ({ service: 'inference.GRPCInferenceService', method })),
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: '0.1s',
        maxBackoff: '2s',
        backoffMultiplier: 3,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
});

/**
 * A KServe v2 client over gRPC, for Millrace, Triton, OpenVINO Model Server and MLServer. Failed calls throw
 * {@link InferenceError}. Outputs are views into the message that brought them.
 */
export class GrpcClient implements Disposable {
  readonly #client: Client;
  readonly #options: GrpcClientOptions;

  constructor(options: GrpcClientOptions) {
    this.#options = options;
    const maxMessageBytes = options.maxMessageBytes ?? 2 ** 30;
    const { tls } = options;
    // The window stays at 64 KiB, which sockets always take. Node reads nothing while it writes: with a larger one, two ends in Node
    // that both have big messages to send would wait for each other for ever.
    this.#client = new Client(options.address, credentialsOf(tls), {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.max_send_message_length': maxMessageBytes,
      'grpc.service_config': SERVICE_CONFIG,
      ...(options.ownConnection === true && { 'grpc.use_local_subchannel_pool': 1 }),
      ...(typeof tls === 'object' &&
        tls.serverName !== undefined && { 'grpc.ssl_target_name_override': tls.serverName }),
    });
    sendFramed(this.#client);
  }

  async isServerLive(call: CallOptions = {}): Promise<boolean> {
    return (await this.#ask<ServerLiveResponse__Output>('ServerLive', {}, call)).live;
  }

  async isServerReady(call: CallOptions = {}): Promise<boolean> {
    return (await this.#ask<ServerReadyResponse__Output>('ServerReady', {}, call)).ready;
  }

  async isModelReady(name: string, version = '', call: CallOptions = {}): Promise<boolean> {
    return (await this.#ask<ModelReadyResponse__Output>('ModelReady', { name, version }, call)).ready;
  }

  serverMetadata(call: CallOptions = {}): Promise<ServerMetadataResponse__Output> {
    return this.#ask('ServerMetadata', {}, call);
  }

  modelMetadata(name: string, version = '', call: CallOptions = {}): Promise<ModelMetadataResponse__Output> {
    return this.#ask('ModelMetadata', { name, version }, call);
  }

  modelConfig(name: string, version = '', call: CallOptions = {}): Promise<ModelConfigResponse__Output> {
    return this.#ask('ModelConfig', { name, version }, call);
  }

  /** @param name left out: of all */
  modelStatistics(name = '', version = '', call: CallOptions = {}): Promise<ModelStatisticsResponse__Output> {
    return this.#ask('ModelStatistics', { name, version }, call);
  }

  async repositoryIndex(ready = false, call: CallOptions = {}): Promise<RepositoryIndexResponse__Output['models']> {
    return (await this.#ask<RepositoryIndexResponse__Output>('RepositoryIndex', { ready }, call)).models;
  }

  async loadModel(name: string, call: CallOptions = {}): Promise<void> {
    await this.#ask('RepositoryModelLoad', { model_name: name }, call);
  }

  async unloadModel(name: string, call: CallOptions = {}): Promise<void> {
    await this.#ask('RepositoryModelUnload', { model_name: name }, call);
  }

  async infer(request: ClientRequest, call: CallOptions = {}): Promise<InferenceResponse> {
    return decodeInferResponse(await this.#unary(INFER, same, same, messageOf(request), call));
  }

  /** Opens a stream: one session on the server, for as long as it lives. */
  stream(options: StreamOptions = {}): InferStream {
    const metadata = this.#metadata(options);
    const rpc = this.#client.makeBidiStreamRequest(
      STREAM_INFER,
      same,
      same,
      metadata,
      deadline(options.timeoutMs ?? 0),
    );
    return new InferStream(rpc, options.dialect ?? 'triton', options.signal);
  }

  /** Ends every call that is under way. */
  close(): void {
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ask<Answer extends object>(name: string, message: object, call: CallOptions): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = methodOf(name);
    return this.#unary(path, requestSerialize, responseDeserialize, message, call) as Promise<Answer>;
  }

  #unary<Request extends object, Answer extends object>(
    path: string,
    serialize: (request: Request) => Buffer,
    deserialize: (bytes: Buffer) => Answer,
    message: Request,
    call: CallOptions,
  ): Promise<Answer> {
    call.signal?.throwIfAborted();
    const timeoutMs = call.timeoutMs ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const metadata = this.#metadata(call);
    return new Promise((resolve, reject) => {
      const abort = (): void => cancelSoon(rpc);
      const onAnswer = (error: ServiceError | null, answer?: Answer): void => {
        call.signal?.removeEventListener('abort', abort);
        if (call.signal?.aborted === true) reject(call.signal.reason as Error);
        else if (error !== null) reject(new InferenceError(statusName(error.code), error.details, { cause: error }));
        else resolve(answer as Answer);
      };
      const rpc: ClientUnaryCall = this.#client.makeUnaryRequest(
        path,
        serialize,
        deserialize,
        message,
        metadata,
        deadline(timeoutMs),
        onAnswer,
      );
      call.signal?.addEventListener('abort', abort, { once: true });
    });
  }

  #metadata(call: CallOptions): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headersOf(this.#options, call))) metadata.set(name, value);
    return metadata;
  }
}

function deadline(timeoutMs: number): { deadline?: number } {
  return timeoutMs === 0 ? {} : { deadline: Date.now() + timeoutMs };
}

function credentialsOf(tls: ConnectionOptions['tls']): ChannelCredentials {
  if (tls === undefined || tls === false) return credentials.createInsecure();
  const { ca = null, key = null, cert = null } = tls === true ? {} : tls;
  return credentials.createSsl(ca, key, cert);
}
