import { MillraceError } from '../../src/base/errors.ts';
import type {
  CallContext,
  DataPlane,
  ServableKind,
  ServableMetadata,
  ServableState,
  ServableStatistics,
  ServableStatus,
  Session,
  SessionSink,
} from '../../src/serving/data-plane.ts';
import type { InferenceRequest, InferenceResponse } from '../../src/tensor/inference.ts';

/** A session that does what a test tells it; it records what its owner did. */
export class FakeSession implements Session {
  readonly kind = 'runtime';
  readonly servable: string;
  readonly version = '1';
  readonly summary = { packetsIn: 0, packetsOut: 0, packetsDropped: 0, durationMs: 0 };
  readonly sink: SessionSink;
  readonly pushed: InferenceRequest[] = [];
  readonly calls: string[] = [];
  isHalfClosed = false;
  isPaused = false;
  aborted: MillraceError | undefined;
  readonly #script: (session: FakeSession) => void | Promise<void>;

  constructor(servable: string, sink: SessionSink, script: (session: FakeSession) => void | Promise<void>) {
    this.servable = servable;
    this.sink = sink;
    this.#script = script;
  }

  push(request: InferenceRequest): boolean {
    this.pushed.push(request);
    return true;
  }

  halfClose(): void {
    this.isHalfClosed = true;
    setImmediate(() => void this.#script(this));
  }

  pause(): void {
    this.isPaused = true;
    this.calls.push('pause');
  }

  resume(): void {
    this.isPaused = false;
    this.calls.push('resume');
  }

  abort(error: MillraceError): void {
    if (this.aborted !== undefined) return;
    this.aborted = error;
    setImmediate(() => this.sink.onEnd(error));
  }

  /** Answers with the inputs as outputs. */
  echo(): void {
    const [request] = this.pushed;
    if (request !== undefined) this.sink.onResponse(echoOf(request), undefined);
  }
}

/** The response that returns the inputs. */
export function echoOf(request: InferenceRequest): InferenceResponse {
  return { servable: request.servable, version: '1', id: request.id, outputs: request.inputs };
}

/** A data plane in memory: servables by name, version "1" each; `infer` and sessions echo unless told otherwise. */
export class FakeDataPlane implements DataPlane {
  readonly servables = new Map<string, ServableMetadata>();
  readonly states = new Map<string, { readonly state: ServableState; readonly reason: string }>();
  readonly requests: InferenceRequest[] = [];
  readonly contexts: CallContext[] = [];
  readonly sessions: FakeSession[] = [];
  live = true;
  ready = true;
  reloaded = false;
  onInfer: (request: InferenceRequest, context: CallContext) => Promise<InferenceResponse> = async (request) =>
    echoOf(request);
  onSession: (session: FakeSession) => void | Promise<void> = (session) => {
    session.echo();
    session.sink.onEnd(undefined);
  };

  add(metadata: Partial<ServableMetadata> & { readonly name: string }): void {
    const defaults = {
      versions: ['1'],
      platform: 'fake',
      kind: 'runtime',
      decoupled: false,
      inputs: [],
      outputs: [],
    } as const;
    this.servables.set(metadata.name, { ...defaults, ...metadata });
  }

  isLive(): boolean {
    return this.live;
  }

  isReady(): boolean {
    return this.ready;
  }

  isServableReady(name: string, version: string): boolean {
    return this.servables.has(name) && (version === '' || version === '1') && !this.states.has(name);
  }

  kind(name: string, version: string): ServableKind {
    return this.metadata(name, version).kind;
  }

  metadata(name: string, version: string): ServableMetadata {
    const found = this.servables.get(name);
    if (found === undefined) {
      throw new MillraceError('SERVABLE_NOT_FOUND', `Request for unknown model: '${name}' is not found`);
    }
    if (version !== '' && version !== '1') {
      throw new MillraceError(
        'VERSION_NOT_FOUND',
        `Request for unknown model: '${name}' version ${version} is not found`,
      );
    }
    const status = this.states.get(name);
    if (status !== undefined) {
      throw new MillraceError(
        'SERVABLE_NOT_READY',
        `'${name}' is not at ready state: ${status.state}, ${status.reason}`,
      );
    }
    return found;
  }

  list(): readonly ServableStatus[] {
    return [...this.servables.values()].map(({ name, kind }) => ({
      name,
      version: '1',
      kind,
      ...(this.states.get(name) ?? { state: 'ready', reason: '' }),
    }));
  }

  async statistics(name: string, version: string): Promise<readonly ServableStatistics[]> {
    const names = name === '' ? [...this.servables.keys()] : [this.metadata(name, version).name];
    const some = { count: 2, ns: 3000 };
    const none = { count: 0, ns: 0 };
    return names.map((each) => ({
      name: each,
      version: '1',
      lastInference: 17,
      inferenceCount: 2,
      executionCount: 2,
      success: some,
      fail: none,
      queue: none,
      computeInput: none,
      computeInfer: some,
      computeOutput: none,
      cacheHit: { count: 0, ns: 0 },
      cacheMiss: { count: 0, ns: 0 },
      batches: [],
      responses: [],
    }));
  }

  async infer(request: InferenceRequest, context: CallContext): Promise<InferenceResponse> {
    this.metadata(request.servable, request.version);
    this.requests.push(request);
    this.contexts.push(context);
    return this.onInfer(request, context);
  }

  openSession(first: InferenceRequest, context: CallContext, sink: SessionSink): Session {
    this.metadata(first.servable, first.version);
    const session = new FakeSession(first.servable, sink, this.onSession);
    this.sessions.push(session);
    context.cancellation.onCancel((error) => session.abort(error));
    return session;
  }

  graphToCome(): undefined {
    return undefined;
  }

  openModelStream(): () => void {
    return () => {};
  }

  async reload(): Promise<boolean> {
    return this.reloaded;
  }

  async load(name: string): Promise<void> {
    if (!this.servables.has(name)) this.metadata(name, '');
    this.states.delete(name);
  }

  async unload(name: string): Promise<void> {
    if (!this.servables.has(name)) this.metadata(name, '');
    this.states.set(name, { state: 'unloaded', reason: 'unloaded' });
  }
}
