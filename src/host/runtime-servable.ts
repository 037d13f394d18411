import { Cancellation } from '../base/cancellation.ts';
import { messageOf, MillraceError } from '../base/errors.ts';
import { settledWithin } from '../base/settled-within.ts';
import type { ServableDescription } from '../ipc/description.ts';
import type { HostSession, SessionOutput } from '../ipc/host-handler.ts';
import { checkInputs } from '../runtime/check-inputs.ts';
import type { RuntimeDefinition, RuntimeResponse } from '../runtime/script/define-runtime.ts';
import type { Headers, InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { TensorSpec } from '../tensor/tensor.ts';
import { headersFault, kindOf, responseFault } from '../tensor/tensor-fault.ts';
import type { DeclaredMetadata } from './host-spec.ts';
import { checkRequestedOutputs, selectOutputs } from './requested-outputs.ts';
import { CallContext, type SharedContext } from './runtime/call-context.ts';
import { RuntimeRoutes } from './runtime/runtime-routes.ts';
import { describeRuntime } from './runtime/describe-runtime.ts';
import { GRACE_MS, RuntimeStream, type StreamRuntime } from './runtime/runtime-stream.ts';
import type { Turns } from './runtime/turns.ts';
import type { HostServable } from './servable.ts';

export interface RuntimeServableParts {
  readonly definition: RuntimeDefinition;
  readonly context: SharedContext;
  readonly turns: Turns;
  /** As of `SessionOutput.limitLookAhead`. */
  readonly lookAhead: number;
  /** Longest call without a response; 0: no limit. */
  readonly callDeadlineMs: number;
  readonly declared: DeclaredMetadata | undefined;
  /** Unary requests run in batches, which its streams do not. */
  readonly isBatched: boolean;
}

/** A user's runtime. What its code throws reaches the client with its message, never with a stack. */
export class RuntimeServable implements HostServable {
  readonly description: ServableDescription;
  readonly #parts: RuntimeServableParts;
  readonly #name: string;
  readonly #life: Cancellation;
  readonly #streamRuntime: StreamRuntime;
  /** Calls of routes of its own, each a stream of one request. */
  readonly #routeRuntime: StreamRuntime;
  readonly #routes: RuntimeRoutes;
  /** What requests are checked against. */
  readonly #inputs: readonly TensorSpec[] | undefined;
  /** Streams whose code has not ended, aborted ones too. */
  readonly #streams = new Set<RuntimeStream>();

  private constructor(
    parts: RuntimeServableParts,
    description: ServableDescription,
    routes: RuntimeRoutes,
    life: Cancellation,
  ) {
    this.#parts = parts;
    this.#routes = routes;
    this.#name = parts.context.model.name;
    this.#life = life;
    const { inputs } = parts.definition;
    this.#inputs = parts.isBatched ? inputs?.map(anyRows) : inputs;
    this.description = description;
    this.#streamRuntime = {
      name: this.#name,
      logger: parts.context.logger,
      turns: parts.turns,
      callDeadlineMs: parts.callDeadlineMs,
      isDecoupled: description.decoupled,
      start: (requests, cancellation, headers) => this.#start(requests, cancellation, headers),
      check: (request) => this.#check(request),
      response: (request, answer) => this.#response(request, answer),
      failure: (error) => this.#failure(error),
    };
    this.#routeRuntime = {
      ...this.#streamRuntime,
      isDecoupled: false,
      start: (requests, cancellation, headers) => this.#answerRoute(requests, cancellation, headers),
      check: () => {},
      response: (_, answer) => this.#response(undefined, answer),
    };
  }

  /**
   * Calls its `load`.
   * @param life cancelled when the servable is unloaded, also while it loads
   * @throws MillraceError MODEL_INVALID with what its code threw
   */
  static async load(parts: RuntimeServableParts, life: Cancellation): Promise<RuntimeServable> {
    const { definition, context } = parts;
    try {
      if ((await definition.load?.(new CallContext(context, life))) === false) {
        await definition.unload?.();
        throw new Error('its load returned false, so it is never ready');
      }
      const described = await describeRuntime(parts);
      const routes = new RuntimeRoutes(definition.routes);
      const { description } = routes;
      const told = description.length === 0 ? described : { ...described, routes: description };
      return new RuntimeServable(parts, told, routes, life);
    } catch (error) {
      const { stack } = error instanceof Error ? error : { stack: undefined };
      context.logger.error({ error: messageOf(error), stack }, 'runtime failed to load');
      throw new MillraceError('MODEL_INVALID', `runtime '${context.model.name}' failed to load: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  async infer(request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    const { definition, context, callDeadlineMs } = this.#parts;
    if (definition.predict === undefined) throw this.#onlyStreams();
    this.#check(request);
    const call = callDeadlineMs === 0 ? cancellation : followerOf(cancellation);
    try {
      const answer = definition.predict(request, new CallContext(context, call, request.headers));
      return this.#response(request, isPromise(answer) ? await this.#inTime(answer, call) : answer);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  open(first: InferenceRequest, output: SessionOutput): HostSession {
    output.limitLookAhead?.(this.#parts.lookAhead);
    const runtime = first.route === undefined ? this.#streamRuntime : this.#routeRuntime;
    const stream = new RuntimeStream(runtime, first.headers, output);
    this.#streams.add(stream);
    void stream.ended.then(() => this.#streams.delete(stream));
    return stream;
  }

  /** Waits for aborted streams whose code has not ended yet. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#streams, (stream) => stream.ended));
    this.#life.cancel(new MillraceError('SHUTTING_DOWN', `'${this.#name}' is being unloaded`));
    try {
      await this.#parts.definition.unload?.();
    } catch (error) {
      this.#parts.context.logger.error({ error: messageOf(error) }, 'runtime failed to unload');
    }
  }

  #start(
    requests: AsyncIterable<InferenceRequest>,
    cancellation: Cancellation,
    headers: Headers | undefined,
  ): AsyncIterator<RuntimeResponse> {
    const { definition } = this.#parts;
    const context = new CallContext(this.#parts.context, cancellation, headers);
    if (definition.predictStream === undefined) return predictEach(definition, requests, context);
    const stream = definition.predictStream(requests, context);
    if (Symbol.asyncIterator in Object(stream)) return stream[Symbol.asyncIterator]();
    throw new TypeError(`predictStream returned ${kindOf(stream)}, an async iterable expected`);
  }

  async *#answerRoute(
    requests: AsyncIterable<InferenceRequest>,
    cancellation: Cancellation,
    headers: Headers | undefined,
  ): AsyncGenerator<RuntimeResponse> {
    const context = new CallContext(this.#parts.context, cancellation, headers);
    for await (const request of requests) {
      yield* this.#routes.answer(request, context);
      return;
    }
  }

  /** A call whose client has left is not waited for without end. */
  #inTime(answer: Promise<RuntimeResponse>, call: Cancellation): Promise<RuntimeResponse> {
    const { callDeadlineMs } = this.#parts;
    const inTime = settledWithin(answer, callDeadlineMs, () => {
      const text = `predict of runtime '${this.#name}' did not end within ${callDeadlineMs} ms (call_deadline_ms)`;
      const error = new MillraceError('CALL_TIMED_OUT', text, { details: { servable: this.#name } });
      call.cancel(error);
      return error;
    });
    return new Promise((resolve, reject) => {
      let grace: NodeJS.Timeout | undefined;
      const forget = call.onCancel((error) => {
        grace = setTimeout(() => reject(error), GRACE_MS).unref();
      });
      inTime.then(resolve, reject).finally(() => {
        clearTimeout(grace);
        forget();
      });
    });
  }

  #onlyStreams(): MillraceError {
    const text = `runtime '${this.#name}' has no predict, only predictStream: it answers streams, not single requests`;
    return new MillraceError('DECOUPLED_UNARY', text, { details: { servable: this.#name } });
  }

  #check(request: InferenceRequest): void {
    const { outputs } = this.#parts.definition;
    if (this.#inputs !== undefined) checkInputs(request.servable, this.#inputs, request.inputs, request.id);
    if (outputs !== undefined) checkRequestedOutputs(request, outputs);
  }

  /** @throws MillraceError RUNTIME_FAILED where the answer, which is the user's code's, cannot be sent */
  #response(request: InferenceRequest | undefined, answer: RuntimeResponse): InferenceResponse {
    const { definition, context } = this.#parts;
    const { name, version } = context.model;
    const fault = answerFault(answer);
    if (fault !== undefined) {
      throw new MillraceError('RUNTIME_FAILED', `answer of runtime '${name}': ${fault}`, {
        details: { servable: name },
      });
    }
    return {
      servable: name,
      version,
      id: answer.id ?? request?.id ?? '',
      parameters: answer.parameters,
      // Which outputs are asked for is up to a runtime that does not declare them.
      outputs: request && definition.outputs ? selectOutputs(request, answer.outputs) : answer.outputs,
      ...(answer.headers === undefined ? undefined : { headers: answer.headers }),
    };
  }

  #failure(error: unknown): MillraceError {
    const ours = MillraceError.from(error);
    if (ours.reason !== 'INTERNAL') return ours;
    const { logger } = this.#parts.context;
    logger.error({ stack: error instanceof Error ? error.stack : undefined }, 'runtime failed');
    return new MillraceError('RUNTIME_FAILED', messageOf(error), { details: { servable: this.#name }, cause: error });
  }
}

/** A batch has the rows of all its requests. */
function anyRows(spec: TensorSpec): TensorSpec {
  return spec.shape.length === 0 ? spec : { ...spec, shape: [-1, ...spec.shape.slice(1)] };
}

/** Of whatever realm or library. */
function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Partial<Promise<T>> | undefined | null)?.then === 'function';
}

/** Cancelled with `cancellation`, or alone. */
function followerOf(cancellation: Cancellation): Cancellation {
  const follower = new Cancellation();
  cancellation.onCancel((error) => follower.cancel(error));
  return follower;
}

function answerFault(answer: RuntimeResponse): string | undefined {
  const fault = responseFault(answer);
  if (fault !== undefined) return fault;
  if (answer.id !== undefined && typeof answer.id !== 'string')
    return `id: ${kindOf(answer.id)} given, string expected`;
  return headersFault(answer.headers);
}

async function* predictEach(
  definition: RuntimeDefinition,
  requests: AsyncIterable<InferenceRequest>,
  context: CallContext,
): AsyncGenerator<RuntimeResponse> {
  for await (const request of requests) {
    if (definition.predict !== undefined) yield await definition.predict(request, context);
  }
}
