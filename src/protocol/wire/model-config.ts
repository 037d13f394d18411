import type { TensorSpec } from '../../tensor/tensor.ts';
import type { DataType } from './generated/inference/DataType.ts';

/** Triton's `backend` of a servable by its kind. */
export const BACKENDS = { graph: 'millrace', model: 'onnxruntime', runtime: 'millrace', ensemble: '' } as const;

/**
 * The configuration that a servable has of its own, with what only its code says: its tensors, where the configuration names
 * none, and whether it streams; of a graph only its configuration says that.
 * @param generated the same from its metadata alone
 */
export function ownConfig<Config extends { readonly input: readonly unknown[]; readonly output: readonly unknown[] }>(
  own: object,
  { decoupled, kind }: { readonly decoupled: boolean; readonly kind: keyof typeof BACKENDS },
  generated: Config,
): Config {
  const { input = [], output = [], model_transaction_policy: policy } = own as Partial<Config & WithPolicy>;
  return {
    ...(own as Config),
    input: input.length > 0 ? input : generated.input,
    output: output.length > 0 ? output : generated.output,
    model_transaction_policy: { decoupled: decoupled || (kind === 'graph' && policy?.decoupled === true) },
  };
}

interface WithPolicy {
  readonly model_transaction_policy?: { readonly decoupled?: boolean };
}

/** A datatype as Triton's ModelConfig spells it; BYTES is a string there. */
export function configDatatype(datatype: TensorSpec['datatype']): DataType {
  return datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`;
}
