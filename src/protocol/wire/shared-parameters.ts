import { MillraceError } from '../../base/errors.ts';
import { Uint64, type Parameters, type ParameterValue } from '../../tensor/parameters.ts';
import type { SharedBytes } from '../../tensor/shared-bytes.ts';

const REGION = 'shared_memory_region';
const BYTE_SIZE = 'shared_memory_byte_size';
const OFFSET = 'shared_memory_offset';

/** Parameters of an input or requested output, and where its bytes are where they say so. */
export interface SharedParameters {
  readonly shared: SharedBytes | undefined;
  /** Without those that are about shared memory; undefined where none are left. */
  readonly parameters: Parameters | undefined;
}

/**
 * Takes the parameters of Triton's shared memory extension (KServe sheet §1.2) from those of a tensor.
 * @throws MillraceError INVALID_PARAMETER
 */
export function takeShared(tensor: string, parameters: Parameters | undefined): SharedParameters {
  const region = parameters?.[REGION];
  if (parameters === undefined) return { shared: undefined, parameters };
  if (region === undefined) {
    if (BYTE_SIZE in parameters) throw withoutRegion(tensor);
    return { shared: undefined, parameters };
  }
  if (typeof region !== 'string') throw wrong(tensor, REGION, 'a string');
  const byteSize = parameters[BYTE_SIZE];
  if (byteSize === undefined) {
    throw new MillraceError(
      'INVALID_PARAMETER',
      `'${BYTE_SIZE}' must be specified along with '${REGION}' parameter for tensor '${tensor}'`,
      { details: { tensor, parameter: BYTE_SIZE } },
    );
  }
  const offset = sizeOf(tensor, OFFSET, parameters[OFFSET] ?? 0n);
  const shared = { region, offset, byteSize: sizeOf(tensor, BYTE_SIZE, byteSize) };
  const { [REGION]: _region, [BYTE_SIZE]: _size, [OFFSET]: _offset, ...rest } = parameters;
  return { shared, parameters: Object.keys(rest).length === 0 ? undefined : rest };
}

function withoutRegion(tensor: string): MillraceError {
  return new MillraceError(
    'INVALID_PARAMETER',
    `'${BYTE_SIZE}' can not be specified without '${REGION}' parameter for tensor '${tensor}'`,
    { details: { tensor, parameter: BYTE_SIZE } },
  );
}

function sizeOf(tensor: string, key: string, value: ParameterValue): number {
  const size = value instanceof Uint64 ? value.value : value;
  if (typeof size !== 'bigint' || size < 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw wrong(tensor, key, 'an integer of 0 or more');
  }
  return Number(size);
}

function wrong(tensor: string, key: string, expected: string): MillraceError {
  return new MillraceError('INVALID_PARAMETER', `parameter '${key}' of tensor '${tensor}': ${expected} expected`, {
    details: { tensor, parameter: key, expected },
  });
}
