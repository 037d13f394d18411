import { messageOf, MillraceError } from '../../base/errors.ts';
import type { Tensor, TensorSpec } from '../../tensor/tensor.ts';
import type {
  BackendSession,
  ChosenRun,
  ExecutionProvider,
  ModelOptions,
  RunCaller,
  RunMonitor,
} from '../model-session.ts';
import type { Feeds, Fetches, Ort, OrtSession } from './ort.ts';
import type { RunPlace } from './run-places.ts';
import { RunTeller } from './run-teller.ts';
import { fromOrtTensor, toOrtTensor, toSpecs } from './tensors.ts';

/** What an `OnnxSession` works with. It owns `session` and its place in `place`; the others are shared. */
export interface OnnxSessionParts {
  readonly ort: Ort;
  readonly session: OrtSession;
  readonly provider: ExecutionProvider;
  readonly place: RunPlace;
  readonly leave: () => void;
  readonly monitor: RunMonitor;
}

/** A loaded ONNX model. Closing waits for the runs asked for before it. */
export class OnnxSession implements BackendSession {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  readonly #parts: OnnxSessionParts;
  readonly #teller: RunTeller;
  #closed: Promise<void> | undefined;

  /** @throws Error where an input or output is of a kind that we cannot serve */
  constructor(options: ModelOptions, parts: OnnxSessionParts) {
    this.name = options.name;
    this.version = options.version;
    this.inputs = toSpecs(parts.session.inputMetadata);
    this.outputs = toSpecs(parts.session.outputMetadata);
    this.provider = parts.provider;
    this.#parts = parts;
    this.#teller = new RunTeller(parts.monitor, parts.place, options.runDeadlineMs);
  }

  async run(
    inputs: readonly Tensor[],
    isWanted: () => boolean = () => true,
    { inferences = 1, waitedMs = 0, isRegular = false }: RunCaller = {},
  ): Promise<Tensor[]> {
    const asked = performance.now() - waitedMs;
    const outputs = await this.runNext(() => {
      if (!isWanted()) throw new MillraceError('CANCELLED', 'nobody waits for the result of the run any more');
      return { inputs, requests: 1, inferences, queueNs: toNs(performance.now() - asked), isRegular };
    });
    return outputs ?? [];
  }

  async runNext(choose: () => ChosenRun | undefined): Promise<Tensor[] | undefined> {
    if (this.#closed !== undefined) throw this.#failure('it was unloaded');
    return this.#parts.place.queue.run(async () => {
      const asked = performance.now();
      const chosen = choose();
      return chosen && this.#runNow(chosen, asked);
    });
  }

  /** Numbers always fit; texts may have what the model's cannot. */
  check(inputs: readonly Tensor[]): void {
    for (const tensor of inputs) if (tensor.datatype === 'BYTES') this.#feed(tensor);
  }

  [Symbol.asyncDispose](): Promise<void> {
    const { place, session, leave } = this.#parts;
    this.#closed ??= place.queue.run(() => {
      this.#teller.tell();
      return session.release().finally(leave);
    });
    return this.#closed;
  }

  #feed(tensor: Tensor): Feeds[string] {
    try {
      return toOrtTensor(this.#parts.ort, tensor);
    } catch (error) {
      throw error instanceof MillraceError ? error : this.#failure(messageOf(error), error);
    }
  }

  /** @param asked when its inputs began to be put together, in ms as of `performance.now()` */
  async #runNow(chosen: ChosenRun, asked: number): Promise<Tensor[]> {
    const { inputs, requests, inferences, queueNs, isRegular = false } = chosen;
    const { session } = this.#parts;
    const feeds: Feeds = {};
    for (const tensor of inputs) feeds[tensor.name] = this.#feed(tensor);
    const ready = performance.now();
    await this.#teller.begin(isRegular);
    const started = performance.now();
    let ended = started;
    let runMs: number | undefined;
    try {
      const fetches = await session.run(feeds);
      ended = performance.now();
      runMs = session.lastRunMs;
      return this.#outputs(fetches);
    } catch (error) {
      if (ended === started) ended = performance.now();
      throw this.#failure(messageOf(error), error);
    } finally {
      const waitedMs = ended - started;
      runMs = Math.min(runMs ?? waitedMs, waitedMs);
      this.#teller.end({
        batchSize: inferences,
        requests,
        queueNs: queueNs + requests * toNs(started - ready + waitedMs - runMs),
        inputNs: toNs(ready - asked),
        inferNs: toNs(runMs),
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
