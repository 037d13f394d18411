import { MillraceError } from '../../base/errors.ts';
import type { Methods } from './transport.ts';

const REPOSITORY = 'the model repository is managed by the configuration file; use the REST endpoint to reload it';
const SHARED_MEMORY = 'shared memory is not supported; send tensors in the request';
const TRACE = 'trace settings are not supported';
const LOG = 'log settings are not supported; set the log level when the server starts';

/** RPCs of Triton's service that Millrace does not serve, and what to do instead. */
const TEXTS: Readonly<Record<string, string>> = {
  RepositoryModelLoad: REPOSITORY,
  RepositoryModelUnload: REPOSITORY,
  SystemSharedMemoryStatus: SHARED_MEMORY,
  SystemSharedMemoryRegister: SHARED_MEMORY,
  SystemSharedMemoryUnregister: SHARED_MEMORY,
  CudaSharedMemoryStatus: SHARED_MEMORY,
  CudaSharedMemoryRegister: SHARED_MEMORY,
  CudaSharedMemoryUnregister: SHARED_MEMORY,
  TraceSetting: TRACE,
  LogSettings: LOG,
};

/** Each answers UNIMPLEMENTED with its text. */
export function unimplementedMethods(): Methods {
  return Object.fromEntries(
    Object.entries(TEXTS).map(([name, text]) => [
      `/inference.GRPCInferenceService/${name}`,
      {
        kind: 'unary',
        handler: () => {
          throw new MillraceError('NOT_SUPPORTED', `${name}: ${text}`);
        },
      },
    ]),
  );
}
