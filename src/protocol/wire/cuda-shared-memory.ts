import { MillraceError } from '../../base/errors.ts';

/** Why a CUDA region is not registered. */
export function noCudaMemory(region: string): MillraceError {
  return new MillraceError(
    'NOT_SUPPORTED',
    `failed to register CUDA shared memory region '${region}': it is not supported; register system shared memory, or send tensors in the request`,
    { details: { region } },
  );
}

/** Triton's text. */
export function noCudaRegion(region: string): MillraceError {
  return new MillraceError('REGION_NOT_FOUND', `Unable to find cuda shared memory region: '${region}'`, {
    details: { region },
  });
}
