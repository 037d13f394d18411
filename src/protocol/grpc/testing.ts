import { Client, credentials, Metadata, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import { MillraceError } from '../../base/errors.ts';
import type {
  CallContext,
  DataPlane,
  ServableMetadata,
  ServableStatistics,
  ServableStatus,
  Session,
  SessionSink,
  SessionSummary,
  ServableKind,
} from '../../serving/data-plane.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { decodeStreamResponse, type StreamMessage } from '../wire/infer-codec.ts';

/** For tests of this folder: a data plane in memory with a graph "g", a model "m", a runtime "r" and a runtime "p" with one response to each request; all echo. */
export class FakeDataPlane implements DataPlane {
  ready = true;
  readonly sessions: FakeSession[] = [];
  readonly contexts: CallContext[] = [];
  /** How a request to the model is answered; tests replace it. */
  answer: (request: InferenceRequest) => Promise<InferenceResponse> = (request) => Promise.resolve(echo(request));
  /** Streams on the model that are open, and how many may be. */
  modelStreams = 0;
  maxModelStreams = Infinity;
  /** What `push` returns. */
  accepts = true;

  isLive(): boolean {
    return true;
  }

  isReady(): boolean {
    return this.ready;
  }

  isServableReady(name: string): boolean {
    return KINDS[name] !== undefined;
  }

  kind(name: string): ServableKind {
    return this.metadata(name).kind;
  }

  metadata(name: string): ServableMetadata {
    const kind = KINDS[name];
    if (kind === undefined) {
      throw new MillraceError('SERVABLE_NOT_FOUND', `Request for unknown model: '${name}' is not found`);
    }
    const spec = { name: 'in', datatype: 'FP32', shape: [-1, 4] } as const;
    const text = { name: 'text', datatype: 'BYTES', shape: [1] } as const;
    return {
      name,
      kind,
      versions: ['1'],
      platform: 'onnxruntime_onnx',
      decoupled: name === 'r',
      inputs: [spec],
      outputs: [spec, text],
    };
  }

  list(): readonly ServableStatus[] {
    return [
      { name: 'm', version: '1', kind: 'model', state: 'ready', reason: '' },
      { name: 'n', version: '1', kind: 'model', state: 'loading', reason: 'soon' },
    ];
  }

  statistics(name: string): Promise<readonly ServableStatistics[]> {
    const d = { count: 2, ns: 5_000_000_000 };
    const durations = {
      success: d,
      fail: d,
      queue: d,
      computeInput: d,
      computeInfer: d,
      computeOutput: d,
      cacheHit: { count: 0, ns: 0 },
      cacheMiss: { count: 0, ns: 0 },
      batches: [],
      responses: [],
    };
    if (KINDS[name] === undefined) {
      const text = `requested model '${name}' is not available`;
      return Promise.reject(new MillraceError('SERVABLE_NOT_FOUND', text, { code: 'INVALID_ARGUMENT' }));
    }
    return Promise.resolve([
      { name, version: '1', lastInference: 1_700_000_000_000, inferenceCount: 2, executionCount: 1, ...durations },
    ]);
  }

  infer(request: InferenceRequest, context: CallContext): Promise<InferenceResponse> {
    this.contexts.push(context);
    return this.answer(request);
  }

  openSession(first: InferenceRequest, context: CallContext, sink: SessionSink): Session {
    const { kind } = this.metadata(first.servable);
    this.contexts.push(context);
    const session = new FakeSession(first, kind, sink, this);
    this.sessions.push(session);
    context.cancellation.onCancel((error) => session.abort(error));
    return session;
  }

  /** Set: the graph "g" is loading until it resolves. */
  coming: Promise<void> | undefined;

  graphToCome(name: string): Promise<void> | undefined {
    return name === 'g' ? this.coming : undefined;
  }

  openModelStream(): () => void {
    if (this.modelStreams >= this.maxModelStreams) throw new MillraceError('LIMIT_REACHED', 'too many streams');
    this.modelStreams++;
    return () => void this.modelStreams--;
  }

  reload(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async load(name: string): Promise<void> {
    this.metadata(name);
  }

  async unload(name: string): Promise<void> {
    this.metadata(name);
  }
}

const KINDS: Readonly<Record<string, ServableKind>> = {
  g: 'graph',
  m: 'model',
  r: 'runtime',
  p: 'runtime',
};

/** Records what it is told; answers each request with an echo unless `isSilent`. */
export class FakeSession implements Session {
  readonly servable: string;
  readonly version = '1';
  summary: SessionSummary = { packetsIn: 0, packetsOut: 0, packetsDropped: 0, durationMs: 0 };
  readonly kind: ServableKind;
  readonly sink: SessionSink;
  readonly opening: InferenceRequest;
  readonly pushed: InferenceRequest[] = [];
  readonly events: string[] = [];
  aborted: MillraceError | undefined;
  isSilent = false;
  readonly #plane: FakeDataPlane;

  constructor(opening: InferenceRequest, kind: ServableKind, sink: SessionSink, plane: FakeDataPlane) {
    this.opening = opening;
    this.servable = opening.servable;
    this.kind = kind;
    this.sink = sink;
    this.#plane = plane;
  }

  push(request: InferenceRequest): boolean {
    const requestIndex = this.pushed.push(request) - 1;
    if (!this.isSilent) {
      queueMicrotask(() => {
        if (request.id === 'bad') {
          const error = new MillraceError('UNEXPECTED_INPUT', 'Unexpected input - x is unexpected', {
            details: { requestIndex },
          });
          this.sink.onRequestError(request.id, error);
        } else this.sink.onResponse(echo(request), undefined);
      });
    }
    return this.#plane.accepts;
  }

  halfClose(): void {
    this.events.push('halfClose');
    setImmediate(() => this.sink.onEnd(undefined));
  }

  pause(): void {
    this.events.push('pause');
  }

  resume(): void {
    this.events.push('resume');
  }

  abort(error: MillraceError): void {
    this.aborted ??= error;
    queueMicrotask(() => this.sink.onEnd(error));
  }
}

export function echo(request: InferenceRequest): InferenceResponse {
  return { servable: request.servable, version: '1', id: request.id, outputs: request.inputs };
}

export function tensor(values: readonly number[], name = 'in'): Tensor {
  const data = Buffer.from(Float32Array.from(values).buffer);
  return { name, datatype: 'FP32', shape: [values.length], data };
}

export function requestTo(servable: string, id: string, fields: Partial<InferenceRequest> = {}): InferenceRequest {
  return { servable, version: '', id, inputs: [tensor([1, 2])], outputs: [], ...fields };
}

const identity = (bytes: Buffer): Buffer => bytes;

/** A client of bytes. */
export class BytesClient {
  readonly client: Client;

  constructor(port: number) {
    this.client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
  }

  /** The reply, or the error as a value. */
  unary(path: string, message: Buffer, deadlineMs = 5000): Promise<{ reply?: Buffer; error?: ServiceError }> {
    return new Promise((resolve) => {
      const deadline = Date.now() + deadlineMs;
      this.client.makeUnaryRequest(path, identity, identity, message, { deadline }, (error, reply) =>
        resolve({ ...(error !== null && { error }), ...(reply !== undefined && { reply }) }),
      );
    });
  }

  stream(path: string, headers: Record<string, string> = {}, deadlineMs = 10_000): BytesStream {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const deadline = Date.now() + deadlineMs;
    return new BytesStream(this.client.makeBidiStreamRequest(path, identity, identity, metadata, { deadline }));
  }
}

/** One stream as a client sees it. */
export class BytesStream {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly messages: Buffer[] = [];
  readonly status: Promise<{ code: number; details: string; metadata: Metadata }>;
  #waiters: (() => void)[] = [];

  constructor(call: ClientDuplexStream<Buffer, Buffer>) {
    this.call = call;
    call.on('data', (message: Buffer) => {
      this.messages.push(message);
      for (const waiter of this.#waiters.splice(0)) waiter();
    });
    call.on('error', () => {});
    this.status = new Promise((resolve) => call.on('status', resolve));
  }

  /** Waits until `count` messages have come and returns all of them as stream responses. */
  async received(count: number): Promise<StreamMessage[]> {
    while (this.messages.length < count) await new Promise<void>((resolve) => this.#waiters.push(resolve));
    return this.messages.map((message) => decodeStreamResponse(message));
  }
}
