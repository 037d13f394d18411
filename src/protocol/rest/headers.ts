import { setOwn } from '../../base/set-own.ts';
import type { FastifyRequest } from 'fastify';
import type { Headers } from '../../tensor/inference.ts';

/** Headers that belong to the connection or to how the body is sent. */
const OF_THE_TRANSPORT: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'date',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The headers of a request, names in lower case, several of one name joined by ", ". */
export function requestHeaders({ raw }: FastifyRequest): Headers {
  const headers: Record<string, string> = {};
  const { rawHeaders } = raw; // `headers` lacks the content type: see `readBodiesAsBuffers`
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    setOwn(headers, name, Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value);
  }
  return headers;
}

/** Of the headers that a runtime gave those that HTTP can carry and that are its to give; names in lower case. */
export function replyHeaders(headers: Headers | undefined): Record<string, string> {
  const sendable: Record<string, string> = {};
  for (const [given, value] of Object.entries(headers ?? {})) {
    const name = given.toLowerCase();
    if (!OF_THE_TRANSPORT.has(name) && isValid(name, value)) sendable[name] = value;
  }
  return sendable;
}

/** What a header's value may have: Node refuses all else, and throws. */
export function isHeaderValue(value: string): boolean {
  return !/[^\t\x20-\x7e\x80-\xff]/.test(value);
}

function isValid(name: string, value: string): boolean {
  return /^[\w^`\-!#$%&'*+.|~]+$/.test(name) && isHeaderValue(value);
}
