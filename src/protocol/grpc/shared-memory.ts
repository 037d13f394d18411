import type { SharedMemory } from '../../shared-memory/regions.ts';
import type { CudaSharedMemoryRegisterRequest__Output } from '../wire/generated/inference/CudaSharedMemoryRegisterRequest.ts';
import type { CudaSharedMemoryStatusRequest__Output } from '../wire/generated/inference/CudaSharedMemoryStatusRequest.ts';
import type { CudaSharedMemoryStatusResponse } from '../wire/generated/inference/CudaSharedMemoryStatusResponse.ts';
import type { SystemSharedMemoryRegisterRequest__Output } from '../wire/generated/inference/SystemSharedMemoryRegisterRequest.ts';
import type { SystemSharedMemoryStatusRequest__Output } from '../wire/generated/inference/SystemSharedMemoryStatusRequest.ts';
import type { SystemSharedMemoryStatusResponse } from '../wire/generated/inference/SystemSharedMemoryStatusResponse.ts';
import type { SystemSharedMemoryUnregisterRequest__Output } from '../wire/generated/inference/SystemSharedMemoryUnregisterRequest.ts';
import { noCudaMemory, noCudaRegion } from '../wire/cuda-shared-memory.ts';
import type { Messages } from './messages.ts';
import type { Methods, UnaryHandler } from './transport.ts';

/** Triton's shared memory extensions: POSIX regions; of CUDA's there are none, so there is nothing to list or take away. */
export function sharedMemoryMethods(messages: Messages, regions: SharedMemory): Methods {
  const handlers: Readonly<Record<string, UnaryHandler>> = {
    SystemSharedMemoryStatus: messages.unary(
      'inference.SystemSharedMemoryStatus',
      ({ name }: SystemSharedMemoryStatusRequest__Output): SystemSharedMemoryStatusResponse => ({
        regions: Object.fromEntries(
          regions
            .status(name)
            .map((region) => [
              region.name,
              { name: region.name, key: region.key, offset: region.offset, byte_size: region.byteSize },
            ]),
        ),
      }),
    ),
    SystemSharedMemoryRegister: messages.unary(
      'inference.SystemSharedMemoryRegister',
      ({ name, key, offset, byte_size: byteSize }: SystemSharedMemoryRegisterRequest__Output) => {
        regions.register({ name, key, offset, byteSize });
        return {};
      },
    ),
    SystemSharedMemoryUnregister: messages.unary(
      'inference.SystemSharedMemoryUnregister',
      ({ name }: SystemSharedMemoryUnregisterRequest__Output) => {
        regions.unregister(name);
        return {};
      },
    ),
    CudaSharedMemoryStatus: messages.unary(
      'inference.CudaSharedMemoryStatus',
      ({ name }: CudaSharedMemoryStatusRequest__Output): CudaSharedMemoryStatusResponse => {
        if (name !== '') throw noCudaRegion(name);
        return { regions: {} };
      },
    ),
    CudaSharedMemoryRegister: messages.unary(
      'inference.CudaSharedMemoryRegister',
      ({ name }: CudaSharedMemoryRegisterRequest__Output) => {
        throw noCudaMemory(name);
      },
    ),
    CudaSharedMemoryUnregister: messages.unary('inference.CudaSharedMemoryUnregister', () => ({})),
  };
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [
      `/inference.GRPCInferenceService/${name}`,
      { kind: 'unary', handler },
    ]),
  );
}
