import type { GrpcClient } from '../client/grpc-client.ts';
import type { InferStream, StreamDialect } from '../client/infer-stream.ts';
import type { RestClient } from '../client/rest-client.ts';
import type { ClientRequest } from '../client/request.ts';
import type { InferenceResponse } from '../tensor/inference.ts';

/** One way of putting requests to a server. */
export interface Target extends AsyncDisposable {
  /**
   * Sends a request and waits for its last response.
   * @param onResponse called at each response
   * @throws the client's error when it was refused
   */
  run(worker: number, request: ClientRequest, onResponse: () => void): Promise<void>;
}

export function unaryTarget(client: GrpcClient | RestClient): Target {
  return {
    run: async (_, request, onResponse) => {
      await client.infer(request);
      onResponse();
    },
    [Symbol.asyncDispose]: () => closeClient(client),
  };
}

/** Server-sent events: `generate_stream`. */
export function eventTarget(client: RestClient): Target {
  return {
    run: async (_, request, onResponse) => {
      for await (const response of client.generateStream(request)) if (response.outputs.length > 0) onResponse();
    },
    [Symbol.asyncDispose]: () => closeClient(client),
  };
}

async function closeClient(client: GrpcClient | RestClient): Promise<void> {
  if (Symbol.asyncDispose in client) await client[Symbol.asyncDispose]();
  else client.close();
}

export interface StreamTargetOptions {
  readonly dialect: StreamDialect;
  /** Any number of responses to a request, the last one marked `triton_final_response`. */
  readonly isDecoupled: boolean;
  /** A stream for each request, half-closed at once; otherwise each worker keeps one. MLServer's runtimes need it. */
  readonly isPerRequest: boolean;
}

/** Streams over gRPC, one for each worker. */
export class StreamTarget implements Target {
  readonly #client: GrpcClient;
  readonly #options: StreamTargetOptions;
  readonly #lanes = new Map<number, Lane>();

  constructor(client: GrpcClient, options: StreamTargetOptions) {
    this.#client = client;
    this.#options = options;
  }

  async run(worker: number, request: ClientRequest, onResponse: () => void): Promise<void> {
    if (this.#options.isPerRequest) return this.#runAlone(request, onResponse);
    const lane = this.#lanes.get(worker) ?? new Lane(this.#open(), this.#options.isDecoupled);
    this.#lanes.set(worker, lane);
    try {
      await lane.run(request, onResponse);
    } catch (error) {
      if (lane.hasEnded) this.#lanes.delete(worker);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.end()));
    this.#lanes.clear();
    this.#client.close();
  }

  async #runAlone(request: ClientRequest, onResponse: () => void): Promise<void> {
    using stream = this.#open();
    await stream.send(request);
    stream.halfClose();
    for await (const { error } of stream) {
      if (error !== undefined) throw error;
      onResponse();
    }
  }

  #open(): InferStream {
    return this.#client.stream({ dialect: this.#options.dialect });
  }
}

interface Waiter {
  readonly onResponse: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One stream, with one request under way at a time. */
class Lane {
  readonly #stream: InferStream;
  readonly #isDecoupled: boolean;
  readonly #reading: Promise<void>;
  #waiter: Waiter | undefined;
  #ended: Error | undefined;

  constructor(stream: InferStream, isDecoupled: boolean) {
    this.#stream = stream;
    this.#isDecoupled = isDecoupled;
    this.#reading = this.#read();
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  async run(request: ClientRequest, onResponse: () => void): Promise<void> {
    const answered = new Promise<void>((resolve, reject) => (this.#waiter = { onResponse, resolve, reject }));
    if (this.#ended !== undefined) this.#waiter?.reject(this.#ended);
    else void this.#stream.send(this.#isDecoupled ? asksForFinal(request) : request);
    await answered.finally(() => (this.#waiter = undefined));
  }

  async end(): Promise<void> {
    this.#stream.halfClose();
    const timer = setTimeout(() => this.#stream.cancel(), 2000);
    await this.#reading;
    clearTimeout(timer);
  }

  async #read(): Promise<void> {
    try {
      for await (const { response, error } of this.#stream) {
        if (error !== undefined) this.#waiter?.reject(error);
        else this.#onResponse(response);
      }
      this.#ended = new Error('the server ended the stream');
    } catch (error) {
      this.#ended = error as Error;
    }
    this.#waiter?.reject(this.#ended);
  }

  #onResponse({ outputs, parameters }: InferenceResponse): void {
    const isFinal = !this.#isDecoupled || parameters?.['triton_final_response'] === true;
    if (outputs.length > 0 || !this.#isDecoupled) this.#waiter?.onResponse();
    if (isFinal) this.#waiter?.resolve();
  }
}

function asksForFinal(request: ClientRequest): ClientRequest {
  return { ...request, parameters: { ...request.parameters, triton_enable_empty_final_response: true } };
}
