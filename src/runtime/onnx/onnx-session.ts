import { messageOf, MillraceError } from '../../base/errors.ts';
import type { RunTiming } from '../../ipc/run-timing.ts';
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

/**
 * A regular run that takes longer than this is told of the next time; one of any kind on a thread of its own, which keeps nobody
 * from hearing of it, while it is under way.
 */
const BRIEF_MS = 100;
/** Ends of brief regular runs are told of together, after so long: each would wake the front. */
const TOLD_MS = 250;

/** A loaded ONNX model. Closing waits for the runs asked for before it. */
export class OnnxSession implements BackendSession {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  readonly #parts: OnnxSessionParts;
  readonly #runDeadlineMs: number;
  /** Of the last run that was told to be regular. */
  #regularMs = Infinity;
  /** Brief regular runs that nobody was told of. */
  #untold: RunTiming[] = [];
  #telling: NodeJS.Timeout | undefined;
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
    this.#closed ??= this.#parts.place.queue.run(() => {
      this.#tell();
      this.#parts.leave();
      return this.#parts.session.release();
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
    const { session, monitor, place } = this.#parts;
    const feeds: Feeds = {};
    for (const tensor of inputs) feeds[tensor.name] = this.#feed(tensor);
    const ready = performance.now();
    const announced = place.thread === 0 ? await this.#announce(isRegular) : this.#announceLate(isRegular);
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
      if (isRegular) this.#regularMs = ended - started;
      const timing: RunTiming = {
        batchSize: inferences,
        requests,
        queueNs: queueNs + requests * toNs(started - ready),
        inputNs: toNs(ready - asked),
        inferNs: toNs(ended - started),
        outputNs: toNs(performance.now() - ended),
      };
      if (announced()) monitor.runEnded(timing, place.thread);
      else this.#tellLater(timing);
    }
  }

  /** @returns says whether the run, which has ended, was told of */
  async #announce(isRegular: boolean): Promise<() => boolean> {
    const isBrief = isRegular && this.#runDeadlineMs === 0 && this.#regularMs < BRIEF_MS;
    if (!isBrief) await this.#parts.monitor.runStarted(this.#runDeadlineMs, 0);
    return () => !isBrief;
  }

  /** As `#announce`, of a run that blocks nobody: one without a deadline is told of when it has become a long one. */
  #announceLate(isRegular: boolean): () => boolean {
    const { monitor, place } = this.#parts;
    const tell = (): void => void monitor.runStarted(this.#runDeadlineMs, place.thread);
    let isTold = !isRegular;
    if (this.#runDeadlineMs > 0) {
      tell();
      return () => true;
    }
    const timer = setTimeout(() => {
      isTold = true;
      tell();
    }, BRIEF_MS);
    return () => {
      clearTimeout(timer);
      return isTold;
    };
  }

  /** In the queue, so that it is not taken for the end of another run, whose beginning was told of. */
  #tellLater(timing: RunTiming): void {
    this.#untold.push(timing);
    this.#telling ??= setTimeout(() => void this.#parts.place.queue.run(async () => this.#tell()), TOLD_MS).unref();
  }

  #tell(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    const { monitor, place } = this.#parts;
    for (const timing of this.#untold.splice(0)) monitor.runEnded(timing, place.thread);
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
