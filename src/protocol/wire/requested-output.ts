import { MillraceError } from '../../base/errors.ts';
import type { RequestedOutput } from '../../tensor/inference.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import { takeShared } from './shared-parameters.ts';

const KEY = 'classification';

/**
 * An output as its parameters want it: in shared memory, or as its largest elements (KServe sheet §1.2).
 * @param isJson 0 is none there, as in Triton
 * @throws MillraceError INVALID_PARAMETER
 */
export function requestedOutput(name: string, given: Parameters | undefined, isJson: boolean): RequestedOutput {
  const { [KEY]: count, ...rest } = given ?? {};
  if (count === undefined) return { name, ...takeShared(name, given) };
  const fail = (message: string): never => {
    throw new MillraceError('INVALID_PARAMETER', message, { details: { tensor: name, parameter: KEY } });
  };
  if (typeof count !== 'bigint') return fail(`invalid value type for '${KEY}' parameter, expected int64_param`);
  const left = takeShared(name, Object.keys(rest).length === 0 ? undefined : rest);
  if (isJson && count === 0n) return { name, ...left };
  if (count < 1n) return fail(`invalid value for '${KEY}' parameter, expected >= 0`);
  if (left.shared !== undefined) return fail(`output can't set both 'shared_memory_region' and '${KEY}'`);
  return { name, ...left, classes: Number(count) };
}
