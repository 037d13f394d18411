import { fileURLToPath } from 'node:url';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';

/** `protos/` in the package: as far from `src/client/` as from `dist/client/`. */
const PROTOS = fileURLToPath(new URL('../../protos/', import.meta.url));

export type Method = MethodDefinition<object, object>;

let service: ServiceDefinition | undefined;

/** A method of KServe's service; read when the first one is asked for. */
export function methodOf(name: string): Method {
  service ??= loadService();
  const method = service[name];
  if (method === undefined) throw new TypeError(`protos/grpc_service.proto has no method ${name}`);
  return method;
}

function loadService(): ServiceDefinition {
  const options = { includeDirs: [PROTOS], keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true };
  const definition = loadSync('grpc_service.proto', options)['inference.GRPCInferenceService'];
  if (definition === undefined || 'format' in definition)
    throw new TypeError('protos/grpc_service.proto has no service');
  return definition;
}
