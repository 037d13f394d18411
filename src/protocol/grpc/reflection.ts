import { CODES } from '../../base/errors.ts';
import type { ServerReflectionRequest__Output } from '../wire/generated/grpc/reflection/v1/ServerReflectionRequest.ts';
import type { ServerReflectionResponse } from '../wire/generated/grpc/reflection/v1/ServerReflectionResponse.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { answerEach, type Messages } from './messages.ts';
import type { Method, Methods } from './transport.ts';

interface FileEntry {
  /** The FileDescriptorProto as protoc wrote it; libraries that rebuild it break on map fields. */
  readonly bytes: Buffer;
  readonly dependencies: readonly string[];
}

/** What reflection knows: files by name, and the file that defines each symbol. */
interface Index {
  readonly files: ReadonlyMap<string, FileEntry>;
  readonly fileOf: ReadonlyMap<string, string>;
  readonly services: readonly string[];
}

/** grpc.reflection, v1 and v1alpha (same messages under two names). */
export function reflectionMethods(messages: Messages, descriptorSet: Buffer): Methods {
  const index = readDescriptorSet(descriptorSet);
  const method = (version: string): Method => {
    const decode = messages.decoder<ServerReflectionRequest__Output>(
      `grpc.reflection.${version}.ServerReflectionRequest`,
    );
    const encode = messages.encoder<ServerReflectionResponse>(`grpc.reflection.${version}.ServerReflectionResponse`);
    return {
      kind: 'stream',
      handler: (call) => answerEach(call, (message) => encode(answer(index, decode(message)))),
    };
  };
  return {
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': method('v1'),
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': method('v1alpha'),
  };
}

function answer(index: Index, request: ServerReflectionRequest__Output): ServerReflectionResponse {
  const base = { valid_host: request.host, original_request: request };
  // eslint-disable-next-line typescript/switch-exhaustiveness-check -- undefined, and what later versions add
  switch (request.message_request) {
    case 'list_services':
      return { ...base, list_services_response: { service: index.services.map((name) => ({ name })) } };
    case 'file_by_filename':
      return { ...base, ...fileResponse(index, request.file_by_filename, request.file_by_filename ?? '') };
    case 'file_containing_symbol': {
      const symbol = request.file_containing_symbol ?? '';
      return { ...base, ...fileResponse(index, index.fileOf.get(symbol), symbol) };
    }
    case 'all_extension_numbers_of_type':
    case 'file_containing_extension':
      return { ...base, ...failure('NOT_FOUND', 'no extensions here') };
    default:
      return { ...base, ...failure('INVALID_ARGUMENT', 'unknown reflection request') };
  }
}

function failure(code: 'NOT_FOUND' | 'INVALID_ARGUMENT', text: string): ServerReflectionResponse {
  return { error_response: { error_code: CODES[code], error_message: text } };
}

/** A file with all that it imports, so that a client needs no second question. */
function fileResponse(index: Index, name: string | undefined, asked: string): ServerReflectionResponse {
  if (name === undefined || !index.files.has(name)) return failure('NOT_FOUND', `${asked} not found`);
  const wanted = new Set([name]);
  for (const each of wanted) for (const dependency of index.files.get(each)?.dependencies ?? []) wanted.add(dependency);
  return {
    file_descriptor_response: {
      file_descriptor_proto: [...wanted].flatMap((each) => index.files.get(each)?.bytes ?? []),
    },
  };
}

/** FileDescriptorSet: 1 file. Of a FileDescriptorProto: 1 name, 2 package, 3 dependency, 4 message, 5 enum, 6 service. */
function readDescriptorSet(descriptorSet: Buffer): Index {
  const files = new Map<string, FileEntry>();
  const fileOf = new Map<string, string>();
  const services: string[] = [];
  for (const bytes of fieldsOf(descriptorSet, 1)) {
    const name = textOf(bytes, 1);
    const prefix = `${textOf(bytes, 2)}.`;
    files.set(name, { bytes, dependencies: fieldsOf(bytes, 3).map((each) => each.toString()) });
    for (const message of fieldsOf(bytes, 4)) addMessage(message, prefix);
    for (const type of fieldsOf(bytes, 5)) fileOf.set(prefix + textOf(type, 1), name);
    for (const service of fieldsOf(bytes, 6)) {
      const full = prefix + textOf(service, 1);
      services.push(full);
      fileOf.set(full, name);
      for (const method of fieldsOf(service, 2)) fileOf.set(`${full}.${textOf(method, 1)}`, name);
    }

    // Of a DescriptorProto: 1 name, 3 nested message, 4 nested enum.
    function addMessage(message: Buffer, parent: string): void {
      const full = parent + textOf(message, 1);
      fileOf.set(full, name);
      for (const nested of fieldsOf(message, 3)) addMessage(nested, `${full}.`);
      for (const type of fieldsOf(message, 4)) fileOf.set(`${full}.${textOf(type, 1)}`, name);
    }
  }
  return { files, fileOf, services };
}

/** Every length-delimited field `number` of a message. */
function fieldsOf(message: Buffer, number: number): Buffer[] {
  const reader = new ProtoReader(message);
  const found: Buffer[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((number << 3) | 2)) found.push(reader.bytes());
    else reader.skip(tag);
  }
  return found;
}

function textOf(message: Buffer, number: number): string {
  return fieldsOf(message, number)[0]?.toString() ?? '';
}
