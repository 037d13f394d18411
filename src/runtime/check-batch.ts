import { MillraceError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * Checks the first dimension of a request's tensors, which is its batch. Texts are Triton's (KServe sheet §2.5).
 * @param maxBatchSize 0: the model takes no batches, and nothing is checked
 * @throws MillraceError WRONG_SHAPE
 */
export function checkBatch(model: string, maxBatchSize: number, tensors: readonly Tensor[], requestId = ''): void {
  if (maxBatchSize === 0) return;
  const prefix = `[request id: ${requestId === '' ? '<id_unknown>' : requestId}] `;
  let batch: number | undefined;
  for (const { name, shape } of tensors) {
    const [first] = shape;
    if (first === undefined) {
      throw wrong(
        `${prefix}input '${name}' has no shape but model requires batch dimension for '${model}'`,
        model,
        name,
      );
    }
    if (batch !== undefined && first !== batch) {
      throw wrong(`${prefix}input '${name}' batch size does not match other inputs for '${model}'`, model, name);
    }
    batch = first;
  }
  if (batch === undefined || (batch >= 1 && batch <= maxBatchSize)) return;
  const bound = batch < 1 ? '>= 1' : `<= ${maxBatchSize}`;
  throw wrong(`${prefix}inference request batch-size must be ${bound} for '${model}'`, model);
}

function wrong(message: string, model: string, tensor?: string): MillraceError {
  return new MillraceError('WRONG_SHAPE', message, { details: tensor === undefined ? { model } : { model, tensor } });
}
