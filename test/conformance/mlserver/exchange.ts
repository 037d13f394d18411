import { request as httpRequest, type IncomingMessage } from 'node:http';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { join } from 'node:path';
import { ROOT } from '../../support/paths.ts';
import type { Case, HttpCase, RpcCase } from './cases.ts';

/** What came back, in JSON. */
export type Answer =
  | {
      readonly status: number;
      readonly type: string;
      readonly encoding: string;
      /** Those of CloudEvents and of the model. */
      readonly headers: Readonly<Record<string, string>>;
      readonly body: unknown;
      /** The connection was cut before the end. */
      readonly isCut: boolean;
    }
  | {
      readonly code: number;
      readonly text: string;
      /** Trailing metadata of CloudEvents and of the model. */
      readonly trailers: Readonly<Record<string, string>>;
      readonly responses: readonly unknown[];
    };

const TIMEOUT_MS = 10_000;

type Method = MethodDefinition<object, object>;

function loadMethods(): ReadonlyMap<string, Method> {
  const definition = loadSync(['mlserver/dataplane.proto', 'mlserver/model_repository.proto'], {
    includeDirs: [join(ROOT, 'protos')],
    keepCase: true,
    longs: String,
    oneofs: false,
  });
  const services = ['inference.GRPCInferenceService', 'inference.model_repository.ModelRepositoryService'];
  const methods = services.flatMap((name) => Object.values(definition[name] as Record<string, Method>));
  return new Map(methods.map((method) => [method.path, method]));
}

/** Puts cases to one server, one after the other. */
export class Exchanger implements Disposable {
  readonly #client: Client;
  readonly #restUrl: string;
  readonly #methods = loadMethods();

  constructor(grpcAddress: string, restUrl: string) {
    this.#client = new Client(grpcAddress, credentials.createInsecure());
    this.#restUrl = restUrl;
  }

  put(item: Case): Promise<Answer> {
    return item.kind === 'http' ? putHttp(this.#restUrl, item) : this.#putRpc(item);
  }

  /** Unary calls, too: on the wire they are streams of one message. */
  #putRpc({ name, method: path, messages, metadata = {} }: RpcCase): Promise<Answer> {
    const method = this.#methods.get(path);
    if (method === undefined) throw new Error(`${name}: protos/mlserver has no ${path}`);
    const sent = new Metadata();
    for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
    return new Promise((resolve) => {
      const call = this.#client.makeBidiStreamRequest(path, method.requestSerialize, method.responseDeserialize, sent, {
        deadline: Date.now() + TIMEOUT_MS,
      });
      const responses: unknown[] = [];
      call.on('data', (message: object) => responses.push(toJson(message)));
      call.on('error', () => {}); // the status says it
      call.on('status', ({ code, details, metadata: trailers }) => {
        resolve({ code, text: details, trailers: ours(trailers.getMap() as Record<string, string>), responses });
      });
      for (const message of messages) call.write(message);
      call.end();
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Bytes as hexadecimal. */
function toJson(message: object): unknown {
  return JSON.parse(
    JSON.stringify(message, function (this: Record<string, unknown>, key, value: unknown) {
      const original = this[key]; // Buffer.toJSON has already been at `value`
      return Buffer.isBuffer(original) ? original.toString('hex') : value;
    }),
  );
}

function ours(headers: Readonly<Record<string, string>>): Record<string, string> {
  const names = Object.keys(headers).filter((name) => /^(ce|x)-/.test(name) && name !== 'x-accel-buffering');
  return Object.fromEntries(names.sort().map((name) => [name, String(headers[name])]));
}

function putHttp(restUrl: string, { name, method, path, headers = {}, body, gzip }: HttpCase): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const bytes = gzip === true ? gzipSync(body ?? '') : Buffer.from(body ?? '');
    const { hostname, port } = new URL(restUrl);
    const call = httpRequest({
      hostname,
      port,
      method,
      path,
      headers: { ...headers, ...(gzip === true && { 'content-encoding': 'gzip' }), 'content-length': bytes.length },
      agent: false,
    });
    call.setTimeout(TIMEOUT_MS, () => call.destroy(new Error(`${name}: no answer`)));
    call.on('error', reject);
    call.on('response', (response) => resolve(readAnswer(response)));
    call.end(bytes);
  });
}

function readAnswer(response: IncomingMessage): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', () => {}); // told by `complete`
    response.on('close', () => {
      const { headers, statusCode: status = 0, complete } = response;
      const type = (headers['content-type'] ?? '').split(';')[0] ?? '';
      const encoding = headers['content-encoding'] ?? '';
      const bytes = Buffer.concat(chunks);
      const content = (encoding === 'gzip' ? gunzipSync(bytes) : bytes).toString();
      const sent = ours(headers as Record<string, string>);
      resolve({ status, type, encoding, headers: sent, body: readBody(content, type), isCut: !complete });
    });
  });
}

function readBody(content: string, type: string): unknown {
  if (type !== 'text/event-stream') return parsed(content);
  const events = content.split('\n\n').filter((event) => event !== '');
  return events.map((event) => (event.startsWith('data: ') ? parsed(event.slice('data: '.length)) : event));
}

/** JSON, or the text itself where it is none. */
function parsed(content: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch {
    return content;
  }
}
