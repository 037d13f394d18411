import { EventSourceParserStream } from 'eventsource-parser/stream';
import { Agent, fetch, interceptors, type Dispatcher, type Response } from 'undici';
import { HEADER_LENGTH } from '../protocol/wire/binary-extension.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import { CallLimit } from './call-limit.ts';
import { decodeBody, encodeBody } from './json-tensors.ts';
import { InferenceError, statusOfHttp } from './inference-error.ts';
import {
  headersOf,
  toInferenceRequest,
  type CallOptions,
  type ClientRequest,
  type ConnectionOptions,
} from './request.ts';

export interface RestClientOptions extends ConnectionOptions {
  /** `http://host:port`, with a prefix where the server has one. */
  readonly url: string;
  /** Tensors as bytes behind the JSON; false for servers without that extension (MLServer). Default true. */
  readonly binary?: boolean | undefined;
}

/** An answer of `GET /v2/models/{name}`. */
export interface RestModelMetadata {
  readonly name: string;
  readonly versions?: readonly string[];
  readonly platform: string;
  readonly inputs: readonly RestTensorMetadata[];
  readonly outputs: readonly RestTensorMetadata[];
}

export interface RestTensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/**
 * A KServe v2 client over REST, for Millrace, Triton, OpenVINO Model Server and MLServer. Failed calls throw
 * {@link InferenceError}. Questions are asked again when the server could not be reached; inferences are not.
 */
export class RestClient implements AsyncDisposable {
  readonly #options: RestClientOptions;
  readonly #url: string;
  readonly #agent: Agent;
  readonly #retrying: Dispatcher;

  constructor(options: RestClientOptions) {
    this.#options = options;
    this.#url = options.url.replace(/\/+$/, '');
    const { tls } = options;
    this.#agent = new Agent({
      // Streams may be silent for long; what limits a call is its own timeout.
      bodyTimeout: 0,
      headersTimeout: 0,
      ...(typeof tls === 'object' && {
        connect: { ca: tls.ca, cert: tls.cert, key: tls.key, servername: tls.serverName },
      }),
    });
    this.#retrying = this.#agent.compose(
      // An answer is an answer, whatever its status: a server that is not ready says so by one.
      interceptors.retry({ maxRetries: 3, minTimeout: 100, maxTimeout: 2000, statusCodes: [] }),
    );
  }

  async isServerLive(call: CallOptions = {}): Promise<boolean> {
    return this.#isOk('/v2/health/live', call);
  }

  async isServerReady(call: CallOptions = {}): Promise<boolean> {
    return this.#isOk('/v2/health/ready', call);
  }

  async isModelReady(model: string, version?: string, call: CallOptions = {}): Promise<boolean> {
    return this.#isOk(`${modelPath({ model, version })}/ready`, call);
  }

  async modelMetadata(model: string, version?: string, call: CallOptions = {}): Promise<RestModelMetadata> {
    return this.#call(call, async (limit) => {
      const answer = await checked(await this.#get(modelPath({ model, version }), call, limit));
      return (await answer.json()) as RestModelMetadata;
    });
  }

  async infer(request: ClientRequest, call: CallOptions = {}): Promise<InferenceResponse> {
    return this.#call(call, async (limit) => {
      const answer = await this.#post(request, 'infer', this.#options.binary !== false, call, limit);
      const bytes = Buffer.from(await answer.arrayBuffer());
      const length = answer.headers.get(HEADER_LENGTH);
      return decodeBody({ bytes, jsonLength: length === null ? undefined : Number(length) });
    });
  }

  /** Server-sent events, each a response as soon as it is there; ending the loop early leaves the server. */
  async *generateStream(
    request: ClientRequest,
    call: CallOptions = {},
  ): AsyncGenerator<InferenceResponse, void, undefined> {
    using limit = new CallLimit({ timeoutMs: 0, ...call });
    try {
      const { body } = await this.#post(request, 'generate_stream', false, call, limit);
      if (body === null) return;
      const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
      for await (const { data } of events) yield readEvent(data);
    } catch (error) {
      throw this.#failure(error, call, limit);
    }
  }

  /** Ends the calls that are under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  #isOk(path: string, call: CallOptions): Promise<boolean> {
    return this.#call(call, async (limit) => {
      const answer = await this.#get(path, call, limit);
      await answer.body?.cancel();
      return answer.ok;
    });
  }

  async #call<Result>(call: CallOptions, work: (limit: CallLimit) => Promise<Result>): Promise<Result> {
    using limit = new CallLimit({ timeoutMs: this.#options.timeoutMs, ...call });
    try {
      return await work(limit);
    } catch (error) {
      throw this.#failure(error, call, limit);
    }
  }

  #get(path: string, call: CallOptions, { signal }: CallLimit): Promise<Response> {
    return fetch(this.#url + path, { dispatcher: this.#retrying, headers: headersOf(this.#options, call), signal });
  }

  async #post(
    request: ClientRequest,
    action: string,
    isBinary: boolean,
    call: CallOptions,
    { signal }: CallLimit,
  ): Promise<Response> {
    const { bytes, jsonLength } = encodeBody(toInferenceRequest(request), isBinary);
    const headers = {
      'content-type': isBinary ? 'application/octet-stream' : 'application/json',
      ...(jsonLength !== undefined && { [HEADER_LENGTH]: String(jsonLength) }),
      ...headersOf(this.#options, call),
    };
    const url = `${this.#url}${modelPath(request)}/${action}`;
    return checked(await fetch(url, { method: 'POST', body: bytes, dispatcher: this.#agent, headers, signal }));
  }

  /** What went wrong on the way, in the client's own terms. */
  #failure(error: unknown, call: CallOptions, limit: CallLimit): unknown {
    if (error instanceof InferenceError) return error;
    if (call.signal?.aborted === true) return call.signal.reason;
    if (limit.isLate) {
      return new InferenceError('DEADLINE_EXCEEDED', 'no whole answer within the time for the call', { cause: error });
    }
    const { message, cause } = error as Error;
    const why = cause instanceof Error && cause.message !== '' ? cause.message : message;
    return new InferenceError('UNAVAILABLE', `no whole answer from ${this.#url}: ${why}`, { cause: error });
  }
}

async function checked(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const text = await answer.text();
  throw new InferenceError(statusOfHttp(answer.status), errorText(text), { httpStatus: answer.status });
}

function modelPath({ model, version }: Pick<ClientRequest, 'model' | 'version'>): string {
  const versioned = version === undefined || version === '' ? '' : `/versions/${encodeURIComponent(version)}`;
  return `/v2/models/${encodeURIComponent(model)}${versioned}`;
}

function readEvent(data: string): InferenceResponse {
  if (data.startsWith('{"error"')) throw new InferenceError('INTERNAL', errorText(data));
  return decodeBody({ bytes: Buffer.from(data), jsonLength: undefined });
}

/** KServe's servers answer `{"error": text}`; what stands between them and us may answer anything. */
function errorText(body: string): string {
  try {
    const { error, detail } = JSON.parse(body) as { error?: unknown; detail?: unknown };
    if (typeof error === 'string') return error;
    if (detail !== undefined) return JSON.stringify(detail);
  } catch {
    // no JSON
  }
  return body;
}
