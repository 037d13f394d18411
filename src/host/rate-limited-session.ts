import type { BackendSession, ChosenRun, RunCaller } from '../runtime/model-session.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';

/** Waits for resources that runs share; resolves with how to give them back. */
export type AcquireResources = () => Promise<() => void>;

/** A model whose runs begin when the resources that they need are free. What a run is made of is chosen then. */
export class RateLimitedSession implements BackendSession {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  readonly #session: BackendSession;
  readonly #acquire: AcquireResources;

  /** Owns `session`. */
  constructor(session: BackendSession, acquire: AcquireResources) {
    this.#session = session;
    this.#acquire = acquire;
    this.name = session.name;
    this.version = session.version;
    this.inputs = session.inputs;
    this.outputs = session.outputs;
    this.provider = session.provider;
  }

  run(inputs: readonly Tensor[], isWanted?: () => boolean, caller: RunCaller = {}): Promise<Tensor[]> {
    const since = performance.now();
    return this.#holding(() => {
      const waitedMs = (caller.waitedMs ?? 0) + performance.now() - since;
      return this.#session.run(inputs, isWanted, { ...caller, waitedMs });
    });
  }

  runNext(choose: () => ChosenRun | undefined): Promise<Tensor[] | undefined> {
    return this.#holding(() => this.#session.runNext(choose));
  }

  check(inputs: readonly Tensor[]): void {
    this.#session.check?.(inputs);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#session[Symbol.asyncDispose]();
  }

  async #holding<T>(run: () => Promise<T>): Promise<T> {
    const release = await this.#acquire();
    try {
      return await run();
    } finally {
      release();
    }
  }
}
