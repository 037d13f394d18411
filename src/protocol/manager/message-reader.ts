import { RoboflowFailure } from '../../pipelines/roboflow/failure.ts';

/** Bytes of the length before a message. */
const HEADER_BYTES = 4;

export type Reading =
  /** More is needed. */
  | { readonly state: 'waiting' }
  /** The header is begun and not whole. */
  | { readonly state: 'header' }
  | { readonly state: 'whole'; readonly body: Buffer };

/** Collects one message of the stream manager's protocol: four bytes of length, big-endian, then JSON (sheet §2). */
export class MessageReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #length: number | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws RoboflowFailure for a length that is none, or too large; for bytes beyond the message */
  push(chunk: Buffer): Reading {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < HEADER_BYTES) return { state: 'header' };
    this.#length ??= this.#readLength();
    const whole = HEADER_BYTES + this.#length;
    if (this.#bytes < whole) return { state: 'waiting' };
    if (this.#bytes > whole) throw malformedPayload();
    return { state: 'whole', body: Buffer.concat(this.#chunks).subarray(HEADER_BYTES) };
  }

  /** What an end of the connection means now. */
  cutOff(): RoboflowFailure {
    if (this.#bytes < HEADER_BYTES) return this.shortHeader();
    return new RoboflowFailure('internal_error', {
      errorClass: 'TransmissionChannelClosed',
      errorMessage: 'Socket was closed to read before payload was decoded.',
    });
  }

  shortHeader(): RoboflowFailure {
    return malformedHeader(`Expected header size: 4, received: ${pythonBytes(Buffer.concat(this.#chunks))}`);
  }

  #readLength(): number {
    const length = Buffer.concat(this.#chunks).readUInt32BE(0);
    if (length === 0) throw malformedHeader('Header is indicating non positive payload size: 0');
    if (length > this.#maxBytes) {
      throw malformedHeader(`Header is indicating payload size: ${length}, at most ${this.#maxBytes} accepted`);
    }
    return length;
  }
}

/**
 * The JSON of a message, as Python's `json.loads` takes it: with a BOM, in UTF-16 and UTF-32, with NaN and Infinity.
 * @throws RoboflowFailure
 */
export function parseMessage(body: Buffer): unknown {
  try {
    const text = decode(body);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return JSON.parse(withoutNaN(text)) as unknown;
    }
  } catch {
    throw malformedPayload();
  }
}

/** By the zeros among the first bytes, as `json.detect_encoding`. */
function decode(body: Buffer): string {
  const [a = 1, b = 1, c = 1, d = 1] = body;
  const strict = (label: string): string => new TextDecoder(label, { fatal: true }).decode(body);
  if (a === 0 && b === 0) return utf32(body, false);
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (b === 0 && c === 0 && d === 0)) return utf32(body, true);
  if (a === 0xff && b === 0xfe) return strict('utf-16le');
  if (a === 0xfe && b === 0xff) return strict('utf-16be');
  if (a === 0) return strict('utf-16be');
  if (b === 0) return strict('utf-16le');
  return strict('utf-8');
}

function utf32(body: Buffer, isLittle: boolean): string {
  const points: number[] = [];
  for (let at = 0; at < body.length; at += 4) {
    const point = isLittle ? body.readUInt32LE(at) : body.readUInt32BE(at);
    if (point !== 0xfeff) points.push(point);
  }
  return points.map((point) => String.fromCodePoint(point)).join('');
}

/** NaN and the infinities become null; they are nowhere of use. Texts are left alone. */
function withoutNaN(text: string): string {
  const token = /"|-?\bInfinity\b|\bNaN\b/g;
  let result = '';
  let from = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    if (found[0] === '"') {
      token.lastIndex = endOfText(text, token.lastIndex);
      continue;
    }
    result += `${text.slice(from, found.index)}null`;
    from = token.lastIndex;
  }
  return result + text.slice(from);
}

/** Behind the quote that ends a text; the length where none does. */
function endOfText(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function malformedHeader(errorMessage: string): RoboflowFailure {
  return new RoboflowFailure('internal_error', { errorClass: 'MalformedHeaderError', errorMessage });
}

function malformedPayload(): RoboflowFailure {
  return new RoboflowFailure('invalid_payload', {
    errorClass: 'MalformedPayloadError',
    errorMessage: 'Received payload that is not in a JSON format',
  });
}

/** Bytes as Python's `repr` shows them. */
export function pythonBytes(bytes: Buffer): string {
  const text = [...bytes].map((byte) => {
    if (byte === 0x5c) return '\\\\';
    if (byte === 0x27) return "\\'";
    if (byte === 9) return '\\t';
    if (byte === 10) return '\\n';
    if (byte === 13) return '\\r';
    return byte < 0x20 || byte > 0x7e ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte);
  });
  return `b'${text.join('')}'`;
}
