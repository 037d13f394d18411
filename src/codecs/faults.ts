import { MillraceError, type Reason } from '../base/errors.ts';
import { kindOf } from '../tensor/tensor-fault.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A tensor that the codec `contentType` cannot read. */
export function wrongTensor(reason: Reason, tensor: Tensor, contentType: string, problem: string): MillraceError {
  return new MillraceError(reason, `input "${tensor.name}" (content type ${contentType}): ${problem}`, {
    details: { tensor: tensor.name, content_type: contentType },
  });
}

/** One element of it, told by its place in the row-major order. */
export function wrongElement(tensor: Tensor, contentType: string, index: number, problem: string): MillraceError {
  return new MillraceError(
    'MALFORMED_BYTES',
    `input "${tensor.name}" (content type ${contentType}): element ${index} ${problem}`,
    { details: { tensor: tensor.name, content_type: contentType, index } },
  );
}

/** A value that no codec, or not this one, can put into an output: a fault of the runtime's code. */
export function wrongValue(name: string, value: unknown, expected: string): MillraceError {
  return new MillraceError('RUNTIME_FAILED', `output "${name}": ${kindOf(value)} given, ${expected} expected`, {
    details: { tensor: name, actual: kindOf(value), expected },
  });
}
