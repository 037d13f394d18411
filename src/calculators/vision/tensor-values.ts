import { MillraceError } from '../../base/errors.ts';
import { typedData, type Tensor } from '../../tensor/tensor.ts';

/**
 * The numbers of a model's output.
 * @param what the output, for the error
 * @param length how many are expected at least
 * @throws MillraceError WRONG_DATATYPE or WRONG_SHAPE
 */
export function floatsOf(tensor: Tensor | undefined, what: string, length: number): Float32Array {
  if (tensor === undefined) throw new MillraceError('WRONG_SHAPE', `${what}: no tensor given, one expected`);
  if (tensor.datatype !== 'FP32') {
    throw new MillraceError('WRONG_DATATYPE', `${what}: ${tensor.datatype} given, FP32 expected`);
  }
  const values = typedData(tensor) as Float32Array;
  if (values.length >= length) return values;
  throw new MillraceError(
    'WRONG_SHAPE',
    `${what}: shape [${tensor.shape.join(',')}] with ${values.length} numbers given, ${length} numbers expected`,
  );
}

export const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
