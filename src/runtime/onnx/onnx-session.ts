import { messageOf, MillraceError } from '../../base/errors.ts';
import type { Tensor, TensorSpec } from '../../tensor/tensor.ts';
import type { ExecutionProvider, ModelOptions, ModelSession, RunMonitor } from '../model-session.ts';
import type { Feeds, Fetches, Ort, OrtSession } from './ort.ts';
import type { RunQueue } from './run-queue.ts';
import { fromOrtTensor, toOrtTensor, toSpecs } from './tensors.ts';

/** What an `OnnxSession` works with. It owns `session`; the others are shared. */
export interface OnnxSessionParts {
  readonly ort: Ort;
  readonly session: OrtSession;
  readonly provider: ExecutionProvider;
  readonly queue: RunQueue;
  readonly monitor: RunMonitor;
}

/** A loaded ONNX model. Closing waits for the runs asked for before it. */
export class OnnxSession implements ModelSession {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  readonly #parts: OnnxSessionParts;
  readonly #runDeadlineMs: number;
  #closed: Promise<void> | undefined;

  /** @throws Error where an input or output is of a kind that we cannot serve */
  constructor(options: ModelOptions, parts: OnnxSessionParts) {
    this.name = options.name;
    this.version = options.version;
    this.inputs = toSpecs(parts.session.inputMetadata);
    this.outputs = toSpecs(parts.session.outputMetadata);
    this.provider = parts.provider;
    this.#parts = parts;
    this.#runDeadlineMs = options.runDeadlineMs;
  }

  async run(inputs: readonly Tensor[], isWanted: () => boolean = () => true): Promise<Tensor[]> {
    if (this.#closed !== undefined) throw this.#failure('it was unloaded');
    const asked = performance.now();
    const feeds: Feeds = {};
    for (const tensor of inputs) feeds[tensor.name] = this.#feed(tensor);
    const queued = performance.now();
    return this.#parts.queue.run(() => {
      if (!isWanted()) throw new MillraceError('CANCELLED', 'nobody waits for the result of the run any more');
      return this.#runNow(feeds, toNs(queued - asked), queued);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#parts.queue.run(() => this.#parts.session.release());
    return this.#closed;
  }

  #feed(tensor: Tensor): Feeds[string] {
    try {
      return toOrtTensor(this.#parts.ort, tensor);
    } catch (error) {
      throw error instanceof MillraceError ? error : this.#failure(messageOf(error), error);
    }
  }

  /** @param queuedAt when the inputs were ready, in ms as `performance.now()` */
  async #runNow(feeds: Feeds, inputNs: number, queuedAt: number): Promise<Tensor[]> {
    const { session, monitor } = this.#parts;
    await monitor.runStarted(this.#runDeadlineMs);
    const started = performance.now();
    let ended = started;
    try {
      const fetches = await session.run(feeds);
      ended = performance.now();
      return this.#outputs(fetches);
    } catch (error) {
      if (ended === started) ended = performance.now();
      throw this.#failure(messageOf(error), error);
    } finally {
      monitor.runEnded({
        batchSize: 1, // one call; a batcher above knows how many inferences it joined
        queueNs: toNs(started - queuedAt),
        inputNs,
        inferNs: toNs(ended - started),
        outputNs: toNs(performance.now() - ended),
      });
    }
  }

  #outputs(fetches: Fetches): Tensor[] {
    return this.outputs.map(({ name }) => {
      const value = fetches[name];
      if (value === undefined) throw new Error(`it gave no output "${name}"`);
      return fromOrtTensor(name, value);
    });
  }

  #failure(message: string, cause?: unknown): MillraceError {
    return new MillraceError('MODEL_FAILED', `model '${this.name}' version ${this.version} failed: ${message}`, {
      details: { model: this.name, version: this.version },
      cause,
    });
  }
}

const toNs = (ms: number): number => Math.round(ms * 1e6);
