import { MillraceError } from '../base/errors.ts';
import { Uint64, type Parameters, type ParameterValue } from './parameters.ts';

/** Of a text that is a correlation id, in UTF-8 (KServe sheet §1.3). */
const MAX_ID_BYTES = 128;

/** Which sequence a request belongs to, and where in it. */
export interface SequenceStep {
  /** The correlation id, an integer from 1 to 2^64 − 1 or a text; undefined: it gives none, or 0 or "", which are none. */
  readonly id: bigint | string | undefined;
  readonly isStart: boolean;
  readonly isEnd: boolean;
}

/**
 * The parameters `sequence_id`, `sequence_start` and `sequence_end` of a request (KServe sheet §1.3).
 * @throws MillraceError INVALID_PARAMETER, and NOT_SUPPORTED for a text that is too long, with Triton's text
 */
export function sequenceStep(parameters: Parameters | undefined): SequenceStep {
  return {
    id: idOf(parameters?.['sequence_id']),
    isStart: flag('sequence_start', parameters?.['sequence_start']),
    isEnd: flag('sequence_end', parameters?.['sequence_end']),
  };
}

function idOf(value: ParameterValue | undefined): bigint | string | undefined {
  if (value === undefined || value === 0n || value === '') return undefined;
  if (typeof value === 'bigint') return BigInt.asUintN(64, value);
  if (value instanceof Uint64) return value.value === 0n ? undefined : value.value;
  if (typeof value !== 'string') throw wrongType('sequence_id', value, 'an integer or a string');
  if (Buffer.byteLength(value) <= MAX_ID_BYTES) return value;
  throw new MillraceError('NOT_SUPPORTED', `string correlation ID cannot be longer than ${MAX_ID_BYTES} characters`, {
    details: { parameter: 'sequence_id', expected: MAX_ID_BYTES, actual: Buffer.byteLength(value) },
  });
}

function flag(name: string, value: ParameterValue | undefined): boolean {
  if (value === undefined) return false;
  if (typeof value === 'boolean') return value;
  throw wrongType(name, value, 'a boolean');
}

function wrongType(parameter: string, value: ParameterValue, expected: string): MillraceError {
  const given =
    typeof value === 'object' ? 'another type' : JSON.stringify(typeof value === 'bigint' ? Number(value) : value);
  return new MillraceError('INVALID_PARAMETER', `parameter '${parameter}': ${given} given, ${expected} expected`, {
    details: { parameter, expected },
  });
}
