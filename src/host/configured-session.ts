import { MillraceError } from '../base/errors.ts';
import { knownNames } from '../base/nearest.ts';
import type { ModelSession, RunCaller } from '../runtime/model-session.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import type { ConfiguredTensor, ModelSignature } from './host-spec.ts';

/** A model as its configuration says: with the shapes that requests have, and of its outputs those that are served. */
export class ConfiguredSession implements ModelSession {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  readonly #session: ModelSession;
  readonly #signature: ModelSignature;

  /** @throws MillraceError CONFIG_INVALID where the model has no such tensor */
  constructor(session: ModelSession, signature: ModelSignature) {
    this.#session = session;
    this.#signature = signature;
    this.name = session.name;
    this.version = session.version;
    this.provider = session.provider;
    this.inputs = signature.inputs.map(plainSpec);
    this.outputs = signature.outputs.map(plainSpec);
    for (const side of ['inputs', 'outputs'] as const) {
      const known = session[side].map(({ name }) => name);
      const unknown = signature[side].find(({ name }) => !known.includes(name));
      if (unknown === undefined) continue;
      const what = side === 'inputs' ? 'input' : 'output';
      throw new MillraceError(
        'CONFIG_INVALID',
        `unexpected inference ${what} '${unknown.name}', allowed ${side} are: ${known.join(', ')}${knownNames(what, unknown.name, known)}`,
        { details: { servable: this.name, tensor: unknown.name } },
      );
    }
  }

  async run(inputs: readonly Tensor[], isWanted?: () => boolean, caller?: RunCaller): Promise<Tensor[]> {
    const { maxBatchSize } = this.#signature;
    const inferences = maxBatchSize > 0 ? (inputs[0]?.shape[0] ?? 1) : 1;
    const given = inputs.map((tensor) => toModel(tensor, this.#configured('inputs', tensor.name), maxBatchSize > 0));
    const results = await this.#session.run(given, isWanted, { ...caller, inferences });
    return this.#signature.outputs.flatMap((configured) => {
      const result = results.find(({ name }) => name === configured.name);
      return result === undefined ? [] : [fromModel(result, configured, maxBatchSize > 0)];
    });
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#session[Symbol.asyncDispose]();
  }

  #configured(side: 'inputs' | 'outputs', name: string): ConfiguredTensor | undefined {
    return this.#signature[side].find((tensor) => tensor.name === name);
  }
}

function plainSpec({ name, datatype, shape, optional }: ConfiguredTensor): TensorSpec {
  return { name, datatype, shape, optional };
}

function toModel(tensor: Tensor, configured: ConfiguredTensor | undefined, hasBatch: boolean): Tensor {
  if (configured?.reshape === undefined) return tensor;
  const from = hasBatch ? configured.shape.slice(1) : configured.shape;
  return { ...tensor, shape: reshaped(tensor.shape, from, configured.reshape, hasBatch) };
}

function fromModel(tensor: Tensor, configured: ConfiguredTensor, hasBatch: boolean): Tensor {
  if (configured.reshape === undefined) return tensor;
  const to = hasBatch ? configured.shape.slice(1) : configured.shape;
  return { ...tensor, shape: reshaped(tensor.shape, configured.reshape, to, hasBatch) };
}

/** `shape`, which fits `from`, in the form of `to`: both have as many −1, which stand for the same sizes in their order. */
function reshaped(
  shape: readonly number[],
  from: readonly number[],
  to: readonly number[],
  hasBatch: boolean,
): number[] {
  const batch = hasBatch ? shape.slice(0, 1) : [];
  const sizes = shape.slice(batch.length).filter((_, i) => from[i] === -1);
  return [...batch, ...to.map((dim) => (dim === -1 ? (sizes.shift() ?? 1) : dim))];
}
