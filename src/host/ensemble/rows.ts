import { MillraceError } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** Tensors of one output that may wait for those of another. */
const MAX_APART = 1024;

/**
 * The responses of one run of a step that answers more than once: the n-th tensor of each output belongs to the n-th of the
 * others, whichever responses they come in.
 */
export class Rows {
  readonly #model: string;
  readonly #waiting: ReadonlyMap<string, { readonly stream: string; readonly tensors: Tensor[] }>;

  /** @param outputs that the ensemble takes, with the stream that carries each */
  constructor(model: string, outputs: Readonly<Record<string, string>>) {
    this.#model = model;
    this.#waiting = new Map(Object.entries(outputs).map(([name, stream]) => [name, { stream, tensors: [] }]));
  }

  /** Tensors by stream. @throws MillraceError MODEL_FAILED where one output runs away from another */
  *add(response: readonly Tensor[]): Generator<ReadonlyMap<string, Tensor>> {
    for (const tensor of response) this.#waiting.get(tensor.name)?.tensors.push(tensor);
    const queues = [...this.#waiting.values()];
    while (queues.every(({ tensors }) => tensors.length > 0)) {
      yield new Map(
        queues.flatMap(({ stream, tensors }) => tensors.splice(0, 1).map((tensor) => [stream, tensor] as const)),
      );
    }
    this.#checkApart();
  }

  #checkApart(): void {
    const counts = Array.from(this.#waiting, ([name, { tensors }]) => ({ name, count: tensors.length }));
    const most = counts.find(({ count }) => count > MAX_APART);
    const missing = counts.find(({ count }) => count === 0);
    if (most === undefined || missing === undefined) return;
    throw new MillraceError(
      'MODEL_FAILED',
      `'${this.#model}' gave output "${most.name}" ${most.count} times more often than output "${missing.name}", at most ${MAX_APART} expected`,
      { details: { model: this.#model, tensor: missing.name } },
    );
  }
}
