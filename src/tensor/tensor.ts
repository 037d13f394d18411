import { MillraceError } from '../base/errors.ts';
import { DATATYPE_BYTES, viewOf, type Datatype, type TypedArray } from './datatype.ts';
import type { Parameters } from './parameters.ts';
import type { SharedBytes } from './shared-bytes.ts';

/**
 * Name, datatype, shape and the raw little-endian bytes, row-major without padding (KServe v2 "raw" form). BYTES elements
 * are each prefixed by a uint32 length. `data` is a view that may start at any offset; it is never changed in place.
 */
export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
  readonly parameters?: Parameters | undefined;
  /** Where the bytes are or have gone, while `data` is empty. */
  readonly shared?: SharedBytes | undefined;
}

/** What a servable expects or offers; −1 is a dimension of any size. */
export interface TensorSpec {
  readonly name: string;
  /** INVALID: not known, as of a graph stream whose calculators do not say what it carries. */
  readonly datatype: Datatype | 'INVALID';
  readonly shape: readonly number[];
  /** May be left out of a request. */
  readonly optional?: boolean | undefined;
  /** JSON, as declared (MLServer's `content_type`); only told in metadata. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}

/** Dimensions that a tensor of a request may have: a dim is one byte on the wire and far more in memory. */
export const MAX_RANK = 1024;

/** The fault of a tensor with more. */
export function tooManyDims(): MillraceError {
  return new MillraceError('REQUEST_TOO_LARGE', `a tensor has more than ${MAX_RANK} dimensions`, {
    details: { expected: MAX_RANK },
  });
}

/** Elements in a shape; 1 for a scalar. Exact up to 2^53. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dim of shape) count *= dim;
  return count;
}

/** Bytes that raw data of this shape must have; undefined for BYTES. */
export function expectedBytes(datatype: Datatype, shape: readonly number[]): number | undefined {
  return datatype === 'BYTES' ? undefined : elementCount(shape) * DATATYPE_BYTES[datatype];
}

/** Whether `shape` fits `spec`: equal rank, and each dimension equal or −1 in the spec. */
export function shapeFits(spec: readonly number[], shape: readonly number[]): boolean {
  if (spec.length !== shape.length) return false;
  for (let i = 0; i < spec.length; i++) if (spec[i] !== -1 && spec[i] !== shape[i]) return false;
  return true;
}

/**
 * The elements of a tensor other than BYTES as a typed array: a view where the bytes are aligned, else a copy.
 * FP16 and BF16 come as bits in a Uint16Array.
 */
export function typedData(tensor: Tensor): TypedArray {
  if (tensor.datatype === 'BYTES') {
    throw new MillraceError('WRONG_DATATYPE', `tensor "${tensor.name}": BYTES given, a numeric datatype expected`);
  }
  const view = viewOf(tensor.datatype);
  const { data } = tensor;
  const size = view.BYTES_PER_ELEMENT;
  const count = Math.floor(data.byteLength / size);
  if (data.byteOffset % size === 0) return new view(data.buffer, data.byteOffset, count);
  const copy = new Uint8Array(count * size);
  copy.set(data.subarray(0, count * size));
  return new view(copy.buffer, 0, count);
}

/** A tensor over the memory of `values`, no copy. `datatype` must be one that `values` can hold. */
export function tensorOf(
  name: string,
  datatype: Exclude<Datatype, 'BYTES'>,
  shape: readonly number[],
  values: TypedArray,
): Tensor {
  if (values.BYTES_PER_ELEMENT !== DATATYPE_BYTES[datatype] || values.length !== elementCount(shape)) {
    throw new MillraceError(
      'WRONG_SHAPE',
      `tensor "${name}": ${values.length} values of ${values.BYTES_PER_ELEMENT} bytes given, ${datatype} [${shape.join(',')}] expected`,
    );
  }
  return { name, datatype, shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}
