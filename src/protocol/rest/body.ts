import type { IncomingMessage } from 'node:http';
import { createGunzip, createInflate } from 'node:zlib';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MillraceError } from '../../base/errors.ts';
import { HEADER_LENGTH, parseHeaderLength } from '../wire/binary-extension.ts';
import type { BodyLimits } from './parts.ts';

type Done = (error: Error | null, body?: Buffer) => void;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body may have tensors behind its JSON, so the larger limit holds for it. */
    takesBinary?: boolean;
  }
}

/** A body up to this size gets its memory from its Content-Length; above it grows with what came. */
const MAX_TRUSTED_LENGTH = 8 * 2 ** 20;
/** Chunks of a body that are kept apart: a chunk of a byte takes two hundred. */
const MAX_LOOSE_CHUNKS = 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Every body arrives as a Buffer, decompressed, whatever its Content-Type (tritonclient sends none, aiohttp
 * `application/octet-stream`); the header is dropped so that fastify does not judge it.
 */
export function readBodiesAsBuffers(app: FastifyInstance, limits: BodyLimits): void {
  app.removeAllContentTypeParsers();
  app.addHook('onRequest', (request, _reply, done) => {
    delete request.raw.headers['content-type'];
    done();
  });
  app.addContentTypeParser('*', (request: FastifyRequest, _payload: IncomingMessage, done: Done) => {
    let limit: number;
    try {
      limit = bodyLimit(request, limits);
    } catch (error) {
      return done(error as MillraceError);
    }
    readBody(request.raw, limit, done);
  });
}

/** The body; empty if there was none. */
export function bodyOf(request: FastifyRequest): Buffer {
  return (request.body as Buffer | undefined) ?? NOTHING;
}

/** How many bytes the body may have, decompressed. @throws MillraceError REQUEST_TOO_LARGE for too long a JSON part */
function bodyLimit(request: FastifyRequest, { maxJsonBytes, maxBinaryBytes }: BodyLimits): number {
  if (request.routeOptions.config.takesBinary !== true) return maxJsonBytes;
  const jsonBytes = parseHeaderLength(request.raw.headers[HEADER_LENGTH] as string | undefined);
  if (jsonBytes === undefined) return maxJsonBytes;
  if (jsonBytes > maxJsonBytes) throw tooLarge(maxJsonBytes, 'JSON part of the request body');
  return maxBinaryBytes;
}

function readBody(message: IncomingMessage, limit: number, done: Done): void {
  const { headers } = message;
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity' || encoding === '') {
    const length = Number(headers['content-length'] ?? 0);
    if (length > limit) done(tooLarge(limit));
    else collect(message, limit, length, done);
    return;
  }
  if (encoding !== 'gzip' && encoding !== 'x-gzip' && encoding !== 'deflate') {
    done(
      new MillraceError(
        'UNSUPPORTED_ENCODING',
        `Content-Encoding "${encoding}" is not supported; gzip or deflate expected`,
      ),
    );
    return;
  }
  const inflated = encoding === 'deflate' ? createInflate() : createGunzip();
  // An error of the message itself destroys the stream that reads from it.
  message.once('error', (error) => inflated.destroy(error));
  message.once('close', () => {
    if (!message.complete) inflated.destroy();
  });
  collect(message.pipe(inflated), limit, 0, (error, body) => {
    if (error === null) return done(null, body);
    message.unpipe(inflated);
    inflated.destroy();
    done(
      error instanceof MillraceError
        ? error
        : new MillraceError('MALFORMED_REQUEST', `the body cannot be decoded as ${encoding}: ${error.message}`),
    );
  });
}

/** Reads `source` to its end; `done` is called once. The listeners go with the message: removing them costs more. */
function collect(source: Readable, limit: number, length: number, done: Done): void {
  const whole = length > 0 && length <= MAX_TRUSTED_LENGTH ? Buffer.allocUnsafe(length) : undefined;
  const chunks: Buffer[] = [];
  let loose: Buffer[] = [];
  let received = 0;
  let isDone = false;
  const finish = (error: Error | null, body?: Buffer): void => {
    if (isDone) return;
    isDone = true;
    source.removeListener('data', onData);
    done(error, body);
  };
  const onData = (chunk: Buffer): void => {
    if (received + chunk.length > limit) return finish(tooLarge(limit));
    if (whole !== undefined) chunk.copy(whole, received);
    else if (loose.push(chunk) === MAX_LOOSE_CHUNKS) {
      chunks.push(Buffer.concat(loose));
      loose = [];
    }
    received += chunk.length;
  };
  source.on('data', onData);
  source.on('end', () => {
    if (isDone) return;
    finish(null, whole?.subarray(0, received) ?? joined([...chunks, ...loose], received));
  });
  source.on('error', (error) => finish(error));
  source.on('close', () => {
    if (isDone) return;
    finish(new MillraceError('MALFORMED_REQUEST', `the body ended after ${received} bytes, before it was complete`));
  });
}

const joined = (chunks: readonly Buffer[], bytes: number): Buffer =>
  chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes);

function tooLarge(limit: number, what = 'request body'): MillraceError {
  return new MillraceError('REQUEST_TOO_LARGE', `the ${what} exceeds the maximum allowed size of ${limit} bytes`, {
    details: { expected: limit },
  });
}
