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
 * The elements of raw BYTES data, as views. Texts of the errors as Triton's (KServe sheet §2.5, "BYTES framing").
 * @param expected number of elements that the shape asks for
 */
export function decodeBytes(data: Uint8Array, expected: number, name: string): Buffer[] {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const elements: Buffer[] = [];
  let at = 0;
  while (at < buffer.length) {
    if (elements.length === expected) {
      throw malformed(
        name,
        `unexpected number of string elements ${expected + 1} for inference input '${name}', expecting ${expected}`,
      );
    }
    if (buffer.length - at < 4) {
      throw malformed(
        name,
        `incomplete string length indicator for inference input '${name}', expecting 4 bytes but only ${buffer.length - at} bytes available`,
      );
    }
    const length = buffer.readUInt32LE(at);
    at += 4;
    if (buffer.length - at < length) {
      throw malformed(
        name,
        `incomplete string data for inference input '${name}', expecting string of length ${length} but only ${buffer.length - at} bytes available`,
      );
    }
    elements.push(buffer.subarray(at, at + length));
    at += length;
  }
  if (elements.length !== expected) {
    throw malformed(name, `expected ${expected} string elements for inference input '${name}', got ${elements.length}`);
  }
  return elements;
}

/** The elements of a BYTES tensor as UTF-8 text. */
export function textData(tensor: Tensor): string[] {
  return decodeBytes(tensor.data, elementCount(tensor.shape), tensor.name).map((element) => element.toString('utf8'));
}

function malformed(name: string, message: string): MillraceError {
  return new MillraceError('MALFORMED_BYTES', message, { details: { tensor: name } });
}
