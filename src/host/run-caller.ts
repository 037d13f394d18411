import type { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { RunCaller } from '../runtime/model-session.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import { sequenceStep } from '../tensor/sequence.ts';
import { Uint64, type ParameterValue } from '../tensor/parameters.ts';

/**
 * What a request says of its turn: `priority`, `timeout` (µs) and its place in a sequence (KServe sheet §1.3).
 * @throws MillraceError INVALID_PARAMETER, NOT_SUPPORTED
 */
export function callerOf({ id, parameters }: InferenceRequest, cancellation: Cancellation): RunCaller {
  const { priority, timeout } = parameters ?? {};
  const caller: RunCaller = { requestId: id, signal: () => cancellation.signal, sequence: sequenceOf(parameters) };
  if (priority === undefined && timeout === undefined) return caller;
  return { ...caller, priority: wholeNumber('priority', priority), timeoutUs: wholeNumber('timeout', timeout) };
}

function sequenceOf(parameters: InferenceRequest['parameters']): RunCaller['sequence'] {
  return parameters?.['sequence_id'] === undefined ? undefined : sequenceStep(parameters);
}

function wholeNumber(name: string, value: ParameterValue | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = value instanceof Uint64 ? Number(value.value) : typeof value === 'bigint' ? Number(value) : value;
  const isWhole = typeof number === 'number' && Number.isInteger(number);
  if (isWhole && number >= 0) return number;
  // Triton's texts, as seen on a live one, with what was given.
  const expected = name === 'priority' ? 'int64_param or uint64_param' : 'int64_param';
  const text = isWhole
    ? `invalid value for '${name}', expected value >= 0.`
    : `invalid value type for '${name}' parameter, expected ${expected}.`;
  const given = typeof value === 'object' ? 'another value' : JSON.stringify(isWhole ? number : value);
  throw new MillraceError('INVALID_PARAMETER', `${text} ${given} was given`, { details: { parameter: name } });
}
