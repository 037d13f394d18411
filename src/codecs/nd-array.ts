import { encodeBytes } from '../tensor/bytes.ts';
import type { Datatype, TypedArray } from '../tensor/datatype.ts';
import { elementCount, tensorOf, typedData, type Tensor } from '../tensor/tensor.ts';
import { bytesOf } from './bytes-lists.ts';
import { wrongValue } from './faults.ts';
import { brainsToSingles, halvesToSingles, singlesToBrains, singlesToHalves } from './half.ts';

/** How the elements of each datatype are held: BOOL as 0 and 1, FP16 and BF16 as the singles that they stand for. */
export interface ElementsOf {
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  FP16: Float32Array;
  BF16: Float32Array;
  FP32: Float32Array;
  FP64: Float64Array;
  BYTES: readonly (Uint8Array | string)[];
}

/** An array of one datatype: its elements in row-major order. */
export interface NdArrayOf<D extends Datatype> {
  readonly datatype: D;
  readonly shape: readonly number[];
  readonly data: ElementsOf[D];
}

/** What `np` stands for here. A test of `datatype` tells the type of `data`. */
export type NdArray = { [D in Datatype]: NdArrayOf<D> }[Datatype];

/** The datatype that each class of typed arrays is taken for. */
const CLASSES = [
  ['UINT8', Uint8Array],
  ['UINT16', Uint16Array],
  ['UINT32', Uint32Array],
  ['UINT64', BigUint64Array],
  ['INT8', Int8Array],
  ['INT16', Int16Array],
  ['INT32', Int32Array],
  ['INT64', BigInt64Array],
  ['FP32', Float32Array],
  ['FP64', Float64Array],
] as const;

/** `[n]` becomes `[n, 1]`: MLServer reads one dimension as a batch of single values. */
const batched = (shape: readonly number[]): readonly number[] => (shape.length > 1 ? shape : [...shape, 1]);

/** The array of a tensor: over the tensor's own memory where that is aligned, BYTES as views; FP16 and BF16 are copied. */
export function decodeArray(tensor: Tensor): NdArray {
  const { datatype, shape } = tensor;
  if (datatype === 'BYTES') return { datatype, shape, data: bytesOf(tensor, 'np') };
  const values = typedData(tensor);
  if (datatype === 'FP16') return { datatype, shape, data: halvesToSingles(values as Uint16Array) };
  if (datatype === 'BF16') return { datatype, shape, data: brainsToSingles(values as Uint16Array) };
  return { datatype, shape, data: values } as NdArray;
}

/**
 * A tensor over the array's own memory (FP16, BF16 and BYTES are copied).
 * @throws RUNTIME_FAILED where `data` and `shape` do not fit, or `data` and `datatype`
 */
export function encodeArray(name: string, value: NdArray | TypedArray): Tensor {
  const array = ArrayBuffer.isView(value) ? arrayOf(value) : value;
  const tensor = rawTensor(name, array, batched(array.shape));
  return { ...tensor, parameters: { content_type: 'np' } };
}

export function isNdArray(value: unknown): value is NdArray {
  return typeof value === 'object' && value !== null && 'datatype' in value && 'shape' in value && 'data' in value;
}

/** A typed array as an array of shape `[n]`. */
function arrayOf(values: TypedArray): NdArray {
  const [datatype] = CLASSES.find(([, type]) => values instanceof type) ?? ['UINT8'];
  return { datatype, shape: [values.length], data: values } as NdArray;
}

function rawTensor(name: string, array: NdArray, shape: readonly number[]): Tensor {
  if (array.data.length !== elementCount(shape)) {
    throw wrongValue(name, array.data, `${elementCount(shape)} elements for shape [${shape.join(',')}]`);
  }
  const { datatype } = array;
  if (datatype === 'BYTES') return { name, datatype, shape, data: encodeBytes(array.data) };
  const values = checkedData(name, array);
  if (datatype === 'FP16') return tensorOf(name, datatype, shape, singlesToHalves(array.data));
  if (datatype === 'BF16') return tensorOf(name, datatype, shape, singlesToBrains(array.data));
  return tensorOf(name, datatype, shape, values);
}

/** How each datatype is held; the tables of {@link CLASSES} and {@link ElementsOf} agree but for these. */
const HELD: Partial<Record<Datatype, Datatype>> = { BOOL: 'UINT8', FP16: 'FP32', BF16: 'FP32' };

/** A user's JavaScript may give plain arrays, or the class of another datatype. */
function checkedData(name: string, { datatype, data }: Exclude<NdArray, { datatype: 'BYTES' }>): TypedArray {
  const [, type] = CLASSES.find(([of]) => of === (HELD[datatype] ?? datatype)) ?? [];
  if (type === undefined || !(data instanceof type))
    throw wrongValue(name, data, `${type?.name ?? 'data'} for ${datatype}`);
  return data;
}
