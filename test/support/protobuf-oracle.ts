import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';

const definitions = loadSync('grpc_service.proto', {
  includeDirs: [fileURLToPath(new URL('../../protos', import.meta.url))],
  keepCase: true,
  longs: String,
  defaults: true,
  oneofs: true,
});

/** A message as protobufjs takes and gives it: 64-bit integers as text. */
export type Plain = Record<string, unknown>;

/** What our codec is compared with: protobufjs over the same .proto files. @param name of a message of `inference` */
export function oracle(name: string): { encode(message: Plain): Buffer; decode(bytes: Buffer): Plain } {
  const type = definitions[`inference.${name}`] as MessageTypeDefinition<Plain, Plain>;
  return { encode: (message) => Buffer.from(type.serialize(message)), decode: (bytes) => type.deserialize(bytes) };
}
