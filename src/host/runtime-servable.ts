import type { ServableDescription } from '../ipc/description.ts';
import { Cancellation } from '../base/cancellation.ts';
import { messageOf, MillraceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { HostSession, SessionOutput } from '../ipc/host-handler.ts';
import { checkInputs } from '../runtime/check-inputs.ts';
import type {
  RuntimeContext,
  RuntimeDefinition,
  RuntimeMeter,
  RuntimeResponse,
} from '../runtime/script/define-runtime.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { kindOf, responseFault } from '../tensor/tensor-fault.ts';
import { RequestTimer } from './request-timer.ts';
import { checkRequestedOutputs, selectOutputs } from './requested-outputs.ts';
import type { HostServable } from './servable.ts';

export interface RuntimeServableParts {
  readonly name: string;
  readonly version: string;
  readonly definition: RuntimeDefinition;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly logger: Logger;
  readonly meter: RuntimeMeter;
}

/** A user's runtime. What its code throws reaches the client with its message, never with a stack. */
export class RuntimeServable implements HostServable {
  readonly description: ServableDescription;
  readonly #parts: RuntimeServableParts;
  readonly #life = new Cancellation();
  /** Streams that have not ended, aborted ones too. */
  readonly #streams = new Set<Promise<void>>();

  private constructor(parts: RuntimeServableParts) {
    this.#parts = parts;
    const { inputs = [], outputs = [], decoupled = parts.definition.predict === undefined } = parts.definition;
    this.description = { platform: 'millrace_runtime', decoupled, inputs, outputs };
  }

  static async load(parts: RuntimeServableParts): Promise<RuntimeServable> {
    const servable = new RuntimeServable(parts);
    try {
      await parts.definition.load?.(servable.#context(servable.#life));
    } catch (error) {
      throw new MillraceError('MODEL_INVALID', `runtime '${parts.name}' failed to load: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return servable;
  }

  async infer(request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    const { definition } = this.#parts;
    if (definition.predict === undefined) {
      throw new MillraceError('DECOUPLED_UNARY', `'${this.#parts.name}' only streams: it has no predict`);
    }
    this.#check(request);
    try {
      return this.#response(request, await definition.predict(request, this.#context(cancellation)));
    } catch (error) {
      throw this.#failure(error);
    }
  }

  open(_first: InferenceRequest, output: SessionOutput): HostSession {
    const requests = new RequestQueue(
      (request) => output.taken(request),
      (request) => this.#finish(request, output),
    );
    const cancellation = new Cancellation();
    const room = new Room();
    const stream = this.#pump(requests, output, room, cancellation).finally(() => this.#streams.delete(stream));
    this.#streams.add(stream);
    return {
      push: (request) => {
        try {
          this.#check(request);
        } catch (error) {
          output.refuse(request, MillraceError.from(error));
          return;
        }
        requests.push(request);
      },
      halfClose: () => requests.end(),
      abort: (error) => {
        cancellation.cancel(error);
        requests.abort();
        room.open();
      },
      onRoom: () => room.open(),
    };
  }

  /** Waits for aborted streams whose code has not ended yet. */
  async close(): Promise<void> {
    await Promise.all(this.#streams);
    this.#life.cancel(new MillraceError('SHUTTING_DOWN', `'${this.#parts.name}' is being unloaded`));
    try {
      await this.#parts.definition.unload?.();
    } catch (error) {
      this.#parts.logger.error({ servable: this.#parts.name, error: messageOf(error) }, 'runtime failed to unload');
    }
  }

  async #pump(requests: RequestQueue, output: SessionOutput, room: Room, cancellation: Cancellation): Promise<void> {
    try {
      for await (const answer of this.#answers(requests, this.#context(cancellation))) {
        if (cancellation.error !== undefined) return;
        const { last } = requests;
        output.respond(this.#response(last?.request, answer), last?.timer.responded());
        if (output.isFull) await room.wait();
      }
      output.end(undefined);
    } catch (error) {
      if (cancellation.error === undefined) output.end(this.#failure(error));
    }
  }

  #answers(requests: RequestQueue, context: RuntimeContext): AsyncIterable<RuntimeResponse> {
    const { definition } = this.#parts;
    if (definition.predictStream === undefined) return predictEach(definition, requests, context);
    const stream = definition.predictStream(requests, context);
    if (Symbol.asyncIterator in Object(stream)) return stream;
    throw new TypeError(`predictStream returned ${kindOf(stream)}, an async iterable expected`);
  }

  /** The runtime asks for the next request, so this one has all its responses; Triton's clients may ask to be told. */
  #finish(request: InferenceRequest, output: SessionOutput): void {
    const isAsked = request.parameters?.['triton_enable_empty_final_response'] === true;
    if (!isAsked || !this.description.decoupled) return;
    const parameters = { triton_final_response: true };
    output.respond(this.#response(request, { outputs: [], parameters }));
  }

  #check(request: InferenceRequest): void {
    const { inputs, outputs } = this.#parts.definition;
    if (inputs !== undefined) checkInputs(request.servable, inputs, request.inputs, request.id);
    if (outputs !== undefined) checkRequestedOutputs(request, outputs);
  }

  #context(cancellation: Cancellation): RuntimeContext {
    const { logger, parameters } = this.#parts;
    return {
      get signal() {
        return cancellation.signal;
      },
      headers: {},
      logger,
      meter: this.#parts.meter,
      parameters,
      model: { name: this.#parts.name, version: this.#parts.version, settings: {} },
      uri: '',
    };
  }

  /** @throws MillraceError RUNTIME_FAILED where the answer, which is the user's code's, cannot be sent */
  #response(request: InferenceRequest | undefined, answer: RuntimeResponse): InferenceResponse {
    const { name, version } = this.#parts;
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
      outputs: request === undefined ? answer.outputs : selectOutputs(request, answer.outputs),
    };
  }

  #failure(error: unknown): MillraceError {
    const ours = MillraceError.from(error);
    if (ours.reason !== 'INTERNAL') return ours;
    const { name, logger } = this.#parts;
    logger.error({ stack: error instanceof Error ? error.stack : undefined }, 'runtime failed');
    return new MillraceError('RUNTIME_FAILED', messageOf(error), { details: { servable: name }, cause: error });
  }
}

function answerFault(answer: RuntimeResponse): string | undefined {
  const fault = responseFault(answer);
  if (fault !== undefined || answer.id === undefined || typeof answer.id === 'string') return fault;
  return `id: ${kindOf(answer.id)} given, string expected`;
}

async function* predictEach(
  definition: RuntimeDefinition,
  requests: AsyncIterable<InferenceRequest>,
  context: RuntimeContext,
): AsyncGenerator<RuntimeResponse> {
  for await (const request of requests) {
    if (definition.predict !== undefined) yield await definition.predict(request, context);
  }
}

interface QueuedRequest {
  readonly request: InferenceRequest;
  readonly timer: RequestTimer;
}

/** The requests of a stream as the async iterable that a runtime reads. */
class RequestQueue implements AsyncIterable<InferenceRequest> {
  readonly #onTaken: (request: InferenceRequest) => void;
  readonly #onFinished: (request: InferenceRequest) => void;
  readonly #waiting: QueuedRequest[] = [];
  #wake: (() => void) | undefined;
  #hasEnded = false;
  /** The request last taken. */
  last: QueuedRequest | undefined;

  /** @param onFinished told of a request when the runtime asks for the next one */
  constructor(onTaken: (request: InferenceRequest) => void, onFinished: (request: InferenceRequest) => void) {
    this.#onTaken = onTaken;
    this.#onFinished = onFinished;
  }

  push(request: InferenceRequest): void {
    this.#waiting.push({ request, timer: new RequestTimer() });
    this.#wake?.();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /** Ends without the requests that were not taken yet. */
  abort(): void {
    this.#waiting.length = 0;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<InferenceRequest> {
    while (true) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.last = next;
        this.#onTaken(next.request);
        yield next.request;
        this.#onFinished(next.request);
      } else if (this.#hasEnded) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }
}

/** Waits until there is room for more responses. */
class Room {
  #wake: (() => void) | undefined;

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  open(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
