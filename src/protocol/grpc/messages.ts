import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';
import type { Grant } from '../../security/grant.ts';
import { malformedProto } from '../wire/proto-reader.ts';
import type { MessageParts } from '../wire/infer-codec.ts';
import { FRAME_BYTES, type StreamCall, type UnaryCall, type UnaryHandler } from './transport.ts';

/** `protos/` in the package: as far from `src/protocol/grpc/` as from `dist/protocol/grpc/`. */
const PROTOS = new URL('../../../protos/', import.meta.url);

/** The files of a dialect's services: what they are loaded from, and how reflection tells them. */
export interface ProtoSet {
  readonly files: readonly string[];
  /** The descriptor set of every served file, as protoc wrote it. */
  readonly descriptors: string;
}

const COMMON = ['health.proto', 'reflection/reflection.proto', 'reflection/reflection_v1alpha.proto'];

export const TRITON_PROTOS: ProtoSet = {
  files: ['grpc_service.proto', 'model_config.proto', ...COMMON],
  descriptors: 'descriptor_set.binpb',
};

export const MLSERVER_PROTOS: ProtoSet = {
  files: ['mlserver/dataplane.proto', 'mlserver/model_repository.proto', ...COMMON],
  descriptors: 'mlserver/descriptor_set.binpb',
};

export function readDescriptorSet({ descriptors }: ProtoSet): Buffer {
  return readFileSync(new URL(descriptors, PROTOS));
}

/**
 * Codecs of the rare messages, made by protobufjs from `protos/` when the listener starts. Callers name the generated types
 * of `wire/generated/` that belong to a message's name.
 */
export class Messages {
  readonly #types: PackageDefinition;

  constructor({ files }: ProtoSet) {
    this.#types = loadSync(
      [...files],
      // As scripts/generate-protos.sh has it: the generated types depend on it.
      {
        includeDirs: [fileURLToPath(PROTOS)],
        keepCase: true,
        longs: Number,
        enums: String,
        defaults: true,
        oneofs: true,
      },
    );
  }

  /** Bytes to a message; MALFORMED_REQUEST when they are none. */
  decoder<T extends object>(name: string): (bytes: Buffer) => T {
    const type = this.#type(name);
    return (bytes) => {
      try {
        return type.deserialize(bytes) as T;
      } catch {
        throw malformedProto();
      }
    };
  }

  /** A message to one piece for the transport. */
  encoder<T extends object>(name: string): (message: T) => MessageParts {
    const type = this.#type(name);
    return (message) => {
      const body = type.serialize(message);
      const frame = Buffer.allocUnsafe(FRAME_BYTES + body.length);
      body.copy(frame, FRAME_BYTES);
      return [frame];
    };
  }

  /** A unary method `package.Name(NameRequest) → NameResponse`. */
  unary<Request extends object, Response extends object>(
    name: string,
    handler: (request: Request, call: UnaryCall) => Response | Promise<Response>,
  ): UnaryHandler {
    const decode = this.decoder<Request>(`${name}Request`);
    const encode = this.encoder<Response>(`${name}Response`);
    return async (call) => {
      const request = decode(call.request);
      checkName(call.grant, request);
      return encode(await handler(request, call));
    };
  }

  #type(name: string): MessageTypeDefinition<object, object> {
    const type = this.#types[name];
    if (type === undefined || !('serialize' in type)) throw new TypeError(`protos/ has no message ${name}`);
    return type as MessageTypeDefinition<object, object>;
  }
}

/** As the handler will read it: another decoder might take a crafted message for something else. */
function checkName(grant: Grant | undefined, request: object): void {
  if (grant?.names === undefined) return;
  const name: unknown = (request as Readonly<Record<string, unknown>>)[grant.names];
  if (typeof name === 'string' && name !== '') grant.check(name);
}

/** Serves a stream whose messages are answered one by one, at once; ends with the client's half-close. */
export function answerEach(
  call: StreamCall,
  answer: (message: Buffer) => MessageParts,
): {
  onMessage(message: Buffer): void;
  onHalfClose(): void;
  onDrain(): void;
} {
  return {
    onMessage: (message) => {
      if (!call.write(answer(message))) call.pause();
    },
    onHalfClose: () => call.end(),
    onDrain: () => call.resume(),
  };
}
