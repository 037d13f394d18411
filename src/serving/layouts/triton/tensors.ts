import type { Datatype } from '../../../tensor/datatype.ts';
import type { ConfiguredTensor, ModelSignature } from '../../servable-spec.ts';
import type { ConfigDataType, ModelConfig, ModelInput } from './model-config.ts';

/** `TYPE_FP32` → `FP32`; a string is BYTES in requests. */
export function toDatatype(type: ConfigDataType): Datatype | 'INVALID' {
  return type === 'TYPE_STRING' ? 'BYTES' : (type.slice('TYPE_'.length) as Datatype | 'INVALID');
}

/** The tensors as requests have them: with the batch first, which a configuration leaves out. */
export function signatureOf({ max_batch_size: maxBatchSize, input, output }: ModelConfig): ModelSignature {
  const tensor = (
    given: Pick<ModelInput, 'name' | 'data_type' | 'dims' | 'reshape'> & Partial<ModelInput>,
  ): ConfiguredTensor => ({
    name: given.name,
    datatype: toDatatype(given.data_type),
    shape: requestShape(given, maxBatchSize),
    ...(given.optional === true ? { optional: true } : {}),
    ...(given.reshape === undefined ? {} : { reshape: given.reshape.shape }),
  });
  return { maxBatchSize, inputs: input.map(tensor), outputs: output.map(tensor) };
}

/** Its shape in a request, with the batch as a first −1 where there is one. */
export function requestShape({ dims }: { readonly dims: readonly number[] }, maxBatchSize: number): readonly number[] {
  return maxBatchSize > 0 ? [-1, ...dims] : dims;
}
