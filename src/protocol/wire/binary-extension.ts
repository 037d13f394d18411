import { MillraceError } from '../../base/errors.ts';
import { encodeBytes } from '../../tensor/bytes.ts';
import { DATATYPE_BYTES } from '../../tensor/datatype.ts';
import { elementCount, expectedBytes, type Tensor, type TensorSpec } from '../../tensor/tensor.ts';
import { datatypeOf } from './spec-datatype.ts';

/** HTTP header of Triton's binary tensor extension: bytes of JSON before the tensors. */
export const HEADER_LENGTH = 'inference-header-content-length';

/** The header's value. Absent: undefined; anything but digits is refused (Triton 2.51 took it for 0). */
export function parseHeaderLength(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const length = Number(text);
  if (/^\d+$/.test(text) && length <= Number.MAX_SAFE_INTEGER) return length;
  throw new MillraceError(
    'MALFORMED_REQUEST',
    `header Inference-Header-Content-Length is "${text.slice(0, 40)}", an integer of 0 or more expected`,
  );
}

/** Refuses a header length beyond the body. */
export function checkHeaderLength(length: number, bodyBytes: number): void {
  if (length <= bodyBytes) return;
  throw new MillraceError(
    'MALFORMED_REQUEST',
    `inference header size should be in range (0, ${bodyBytes}), got: ${length}`,
    { details: { expected: bodyBytes, actual: length } },
  );
}

/** Hands out the bytes behind the JSON header, in order of the inputs. */
export class BinaryTail {
  readonly #body: Buffer;
  readonly #servable: string;
  #at: number;

  constructor(body: Buffer, headerLength: number, servable: string) {
    this.#body = body;
    this.#at = headerLength;
    this.#servable = servable;
  }

  get left(): number {
    return this.#body.length - this.#at;
  }

  /** A view of the next `size` bytes. */
  take(name: string, size: number): Buffer {
    if (size > this.left) {
      throw new MillraceError(
        'WRONG_BYTE_SIZE',
        `unexpected size for input '${name}', expecting ${size - this.left} additional bytes for model '${this.#servable}'`,
        { details: { tensor: name, expected: size, actual: this.left } },
      );
    }
    const view = this.#body.subarray(this.#at, this.#at + size);
    this.#at += size;
    return view;
  }

  finish(): void {
    if (this.left === 0) return;
    throw new MillraceError(
      'WRONG_BYTE_SIZE',
      `unexpected additional input data for model '${this.#servable}': ${this.left} bytes more than the inputs' binary_data_size`,
      { details: { actual: this.left, expected: 0 } },
    );
  }
}

/**
 * Header length 0: the whole body is the data of the servable's only input. A BYTES input must be one element and gets its
 * length prefix here; at most one dimension may be open, and takes what the body gives.
 */
export function decodeRawBody(body: Buffer, servable: string, inputs: readonly TensorSpec[]): Tensor {
  const [spec] = inputs;
  if (spec === undefined || inputs.length !== 1) {
    throw rawError(servable, `model has ${inputs.length} inputs, exactly 1 expected`);
  }
  const { name, shape } = spec;
  const datatype = datatypeOf(spec, servable);
  const open = shape.filter((dim) => dim < 0).length;
  if (datatype === 'BYTES') {
    const isOne = shape.length === 0 || (shape.length <= 2 && shape.every((dim) => dim === 1 || dim === -1));
    if (!isOne) throw rawError(servable, `input '${name}' is BYTES [${shape.join(',')}], one element expected`);
    return { name, datatype, shape: shape.map(() => 1), data: encodeBytes([body]) };
  }
  if (open > 1) {
    throw rawError(servable, `input '${name}' has ${open} dimensions of any size, at most 1 expected`);
  }
  if (open === 0) {
    const expected = expectedBytes(datatype, shape) ?? 0;
    if (body.length !== expected) throw wrongByteSize(name, servable, expected, body.length);
    return { name, datatype, shape, data: body };
  }
  const rowBytes = elementCount(shape.filter((dim) => dim >= 0)) * DATATYPE_BYTES[datatype];
  const rows = rowBytes === 0 ? 0 : body.length / rowBytes;
  if (!Number.isInteger(rows)) throw wrongByteSize(name, servable, Math.ceil(rows) * rowBytes, body.length);
  return { name, datatype, shape: shape.map((dim) => (dim < 0 ? rows : dim)), data: body };
}

export function wrongByteSize(name: string, servable: string, expected: number, actual: number): MillraceError {
  return new MillraceError(
    'WRONG_BYTE_SIZE',
    `input byte size mismatch for input '${name}' for model '${servable}'. Expected ${expected}, got ${actual}`,
    { details: { tensor: name, expected, actual } },
  );
}

function rawError(servable: string, problem: string): MillraceError {
  return new MillraceError(
    'MALFORMED_REQUEST',
    `raw binary request (Inference-Header-Content-Length: 0) for model '${servable}': ${problem}`,
  );
}
