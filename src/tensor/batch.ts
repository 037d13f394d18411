import { bytesFault } from './bytes.ts';
import { DATATYPE_BYTES } from './datatype.ts';
import { elementCount, expectedBytes, type Tensor } from './tensor.ts';

/**
 * Rows of a request's tensors: their first dimension, which all of them share. Undefined where they do not, where one has no
 * dimension or where its data does not fit its shape: such a request runs alone, and its fault is its own.
 */
export function rowsOf(tensors: readonly Tensor[]): number | undefined {
  const rows = tensors[0]?.shape[0];
  if (rows === undefined) return undefined;
  return tensors.every((tensor) => tensor.shape[0] === rows && isWhole(tensor)) ? rows : undefined;
}

function isWhole({ name, datatype, shape, data }: Tensor): boolean {
  const bytes = expectedBytes(datatype, shape);
  return bytes === undefined ? bytesFault(data, elementCount(shape), name) === undefined : bytes === data.byteLength;
}

/**
 * Tensors of one name from several requests as one, joined along axis 0; no order of requests fits better than another.
 * Their datatypes and other dimensions must be equal. [2, 3] and [1, 3] become [3, 3].
 */
export function joinTensors(parts: readonly [Tensor, ...Tensor[]]): Tensor {
  const [first] = parts;
  let rows = 0;
  for (const { shape } of parts) rows += shape[0] as number;
  const data = Buffer.concat(parts.map((part) => part.data));
  return { ...first, shape: [rows, ...first.shape.slice(1)], data };
}

/**
 * Cuts a tensor along axis 0 into pieces of `rows` rows each, as views of its memory.
 * @param rows their sum is the tensor's first dimension
 */
export function cutTensor(tensor: Tensor, rows: readonly number[]): Tensor[] {
  const { datatype, shape, data } = tensor;
  const perRow = elementCount(shape.slice(1));
  let at = 0;
  return rows.map((count) => {
    const start = at;
    if (datatype === 'BYTES') at = skipElements(data, at, count * perRow);
    else at += count * perRow * DATATYPE_BYTES[datatype];
    return { ...tensor, shape: [count, ...shape.slice(1)], data: data.subarray(start, at) };
  });
}

/** Where `count` elements of sound BYTES data end that begin at `at`. */
function skipElements(data: Uint8Array, at: number, count: number): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let left = count; left > 0; left--) at += 4 + view.getUint32(at, true);
  return at;
}
