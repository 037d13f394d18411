import type { TensorSpec } from '../../tensor/tensor.ts';
import type { DataType } from './generated/inference/DataType.ts';

/** Triton's `backend` of a servable by its kind. */
export const BACKENDS = { graph: 'millrace', model: 'onnxruntime', runtime: 'millrace', ensemble: '' } as const;

/** A datatype as Triton's ModelConfig spells it; BYTES is a string there. */
export function configDatatype(datatype: TensorSpec['datatype']): DataType {
  return datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`;
}
