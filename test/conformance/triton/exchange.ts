import { request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { KserveGrpc } from '../../support/kserve-grpc.ts';
import type { Answer, Exchange } from './case.ts';
import { withRecordedKeys } from './shared-object.ts';

const GZIP = 2; // grpc_compression_algorithm

/** Puts exchanges to one server, one after the other. */
export class Exchanger implements Disposable {
  readonly #plain: KserveGrpc;
  readonly #gzip: KserveGrpc;
  readonly #restUrl: string;

  constructor(grpcAddress: string, restUrl: string) {
    this.#plain = new KserveGrpc(grpcAddress);
    this.#gzip = new KserveGrpc(grpcAddress, { 'grpc.default_compression_algorithm': GZIP });
    this.#restUrl = restUrl;
  }

  async put(exchange: Exchange): Promise<Answer> {
    return JSON.parse(withRecordedKeys(JSON.stringify(await this.#put(exchange)))) as Answer;
  }

  async #put(exchange: Exchange): Promise<Answer> {
    if (exchange.afterMs > 0) await delay(exchange.afterMs);
    if (exchange.kind === 'http') return putHttp(this.#restUrl, exchange);
    const client = exchange.gzip ? this.#gzip : this.#plain;
    if (exchange.kind === 'rpc') {
      const { code, text, responses } = await client.unary(exchange.method, exchange.message);
      return { code, text, response: toJson(responses[0] ?? null) };
    }
    const { code, text, responses } = await client.stream('ModelStreamInfer', exchange.messages);
    const answers = responses.map(toJson);
    return { code, text, responses: exchange.interleaved ? answers.toSorted(byId) : answers };
  }

  [Symbol.dispose](): void {
    this.#plain.close();
    this.#gzip.close();
  }
}

/** Bytes as hexadecimal. */
function toJson(message: object | null): unknown {
  return JSON.parse(
    JSON.stringify(message, function (this: Record<string, unknown>, key, value: unknown) {
      const original = this[key]; // Buffer.toJSON has already been at `value`
      return Buffer.isBuffer(original) ? original.toString('hex') : value;
    }),
  );
}

function byId(a: unknown, b: unknown): number {
  const id = (message: unknown): string =>
    (message as { infer_response?: { id?: string } | null }).infer_response?.id ?? '';
  return id(a).localeCompare(id(b));
}

function putHttp(restUrl: string, exchange: Extract<Exchange, { kind: 'http' }>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = { ...exchange.headers };
    if (exchange.body !== undefined) headers['Content-Length'] = String(exchange.body.length);
    // The path as it is: URL would tidy it up.
    const { hostname, port } = new URL(restUrl);
    const call = httpRequest({ hostname, port, method: exchange.method, path: exchange.path, headers, agent: false });
    call.setTimeout(10_000, () => call.destroy(new Error(`${exchange.key}: no answer`)));
    call.on('error', reject);
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const type = (response.headers['content-type'] ?? '').split(';')[0] ?? '';
        const encoding = response.headers['content-encoding'] ?? '';
        const bytes = Buffer.concat(chunks);
        const headerLength = response.headers['inference-header-content-length'];
        const content = encoding === 'gzip' ? gunzipSync(bytes) : bytes;
        const body = readBody(content, type, typeof headerLength === 'string' ? Number(headerLength) : undefined);
        resolve({ status: response.statusCode ?? 0, type, encoding, body });
      });
    });
    call.end(exchange.body);
  });
}

function readBody(content: Buffer, type: string, headerLength: number | undefined): unknown {
  if (headerLength !== undefined) {
    return { header: parsed(content.toString('utf8', 0, headerLength)), tail: content.toString('hex', headerLength) };
  }
  const text = content.toString('utf8');
  if (type === 'text/event-stream') {
    return text
      .split('\n\n')
      .filter((event) => event !== '')
      .map((event) => (event.startsWith('data: ') ? parsed(event.slice('data: '.length)) : event));
  }
  return parsed(text); // Triton calls some of its JSON text/plain
}

/** JSON, or the text itself where it is none (NaN, Infinity). */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
