import type { InferenceRequest, RequestedOutput } from '../tensor/inference.ts';
import type { Parameters } from '../tensor/parameters.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** One request, to any servable of any KServe v2 server. */
export interface ClientRequest {
  readonly model: string;
  /** Left out: the server's choice. */
  readonly version?: string | undefined;
  /** Comes back with the answer; left out, none is sent. */
  readonly id?: string | undefined;
  /** Numbers are doubles, bigints int64. A graph's session takes its side packets from those of the first request. */
  readonly parameters?: Parameters | undefined;
  readonly inputs: readonly Tensor[];
  /** Names, with parameters where the server takes some; left out: all. */
  readonly outputs?: readonly (string | RequestedOutput)[] | undefined;
}

export interface CallOptions {
  /** For the whole call; 0: none. Default: the client's. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Beside the client's own. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Where a server is and how to reach it. */
export interface ConnectionOptions {
  /** Headers, or gRPC metadata, of every call. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A bearer token; sent as `authorization`. */
  readonly token?: string | undefined;
  /** Encrypted: `true` with the system's authorities, or what else to trust and to show. Default: plain text. */
  readonly tls?: boolean | TlsOptions | undefined;
  /** Of calls that say nothing else; 0: none. Streams have none unless they ask. Default 60 s. */
  readonly timeoutMs?: number | undefined;
}

/** PEM. */
export interface TlsOptions {
  /** Authorities to trust in place of the system's. */
  readonly ca?: Buffer | undefined;
  /** This client's own certificate and key, where the server wants one (mTLS). */
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
  /** The name that the server's certificate must have, where it is not the address. */
  readonly serverName?: string | undefined;
}

export const DEFAULT_TIMEOUT_MS = 60_000;

export function toInferenceRequest(request: ClientRequest): InferenceRequest {
  return {
    servable: request.model,
    version: request.version ?? '',
    id: request.id ?? '',
    parameters: request.parameters,
    inputs: request.inputs,
    outputs: (request.outputs ?? []).map((output) => (typeof output === 'string' ? { name: output } : output)),
  };
}

export function headersOf(options: ConnectionOptions, call: CallOptions): Record<string, string> {
  const authorization = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  return { ...authorization, ...options.headers, ...call.headers };
}
