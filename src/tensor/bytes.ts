import { MillraceError } from '../base/errors.ts';
import { elementCount, type Tensor } from './tensor.ts';

/** Encodes elements of a BYTES tensor: each a little-endian uint32 length, then its bytes. Strings become UTF-8. */
export function encodeBytes(elements: readonly (Uint8Array | string)[]): Buffer {
  let total = 0;
  for (const element of elements) {
    total += 4 + (typeof element === 'string' ? Buffer.byteLength(element) : element.byteLength);
  }
  const out = Buffer.allocUnsafe(total);
  let at = 0;
  for (const element of elements) {
    const length = typeof element === 'string' ? out.write(element, at + 4) : element.byteLength;
    if (typeof element !== 'string') out.set(element, at + 4);
    out.writeUInt32LE(length, at);
    at += 4 + length;
  }
  return out;
}

/**
 * What is wrong with raw BYTES data, in Triton's words (KServe sheet §2.5, "BYTES framing"); undefined for sound data.
 * Allocates nothing.
 * @param expected number of elements that the shape asks for
 * @param label what the tensor is called: `inference input 'x'`
 */
export function bytesFault(data: Uint8Array, expected: number, label: string): string | undefined {
  const end = data.byteLength;
  let at = 0;
  let elements = 0;
  while (at < end) {
    if (elements === expected) {
      return `unexpected number of string elements ${expected + 1} for ${label}, expecting ${expected}`;
    }
    if (end - at < 4) {
      return `incomplete string length indicator for ${label}, expecting 4 bytes but only ${end - at} bytes available`;
    }
    const length = lengthAt(data, at);
    at += 4;
    if (end - at < length) {
      return `incomplete string data for ${label}, expecting string of length ${length} but only ${end - at} bytes available`;
    }
    at += length;
    elements++;
  }
  return elements === expected ? undefined : `expected ${expected} string elements for ${label}, got ${elements}`;
}

/** Throws MALFORMED_BYTES unless the data of input `name` holds exactly `expected` elements. */
export function checkBytes(data: Uint8Array, expected: number, name: string): void {
  const fault = bytesFault(data, expected, `inference input '${name}'`);
  if (fault !== undefined) throw malformed(name, fault);
}

/**
 * The elements of raw BYTES data, as views. Throws MALFORMED_BYTES where there are not exactly `expected`.
 * @param expected number of elements that the shape asks for
 * @param name of the tensor, for the error
 */
export function decodeBytes(data: Uint8Array, expected: number, name: string): Buffer[] {
  const fault = bytesFault(data, expected, `tensor '${name}'`);
  if (fault !== undefined) throw malformed(name, fault);
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const elements: Buffer[] = [];
  for (let at = 0; at < buffer.length;) {
    const end = at + 4 + lengthAt(buffer, at);
    elements.push(buffer.subarray(at + 4, end));
    at = end;
  }
  return elements;
}

/** The elements of a BYTES tensor as UTF-8 text. */
export function textData(tensor: Tensor): string[] {
  return decodeBytes(tensor.data, elementCount(tensor.shape), tensor.name).map((element) => element.toString('utf8'));
}

/** A little-endian uint32. */
function lengthAt(data: Uint8Array, at: number): number {
  const low = (data[at] as number) | ((data[at + 1] as number) << 8) | ((data[at + 2] as number) << 16);
  return low + (data[at + 3] as number) * 0x1000000;
}

function malformed(name: string, message: string): MillraceError {
  return new MillraceError('MALFORMED_BYTES', message, { details: { tensor: name } });
}
