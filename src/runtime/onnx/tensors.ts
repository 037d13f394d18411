import { isUtf8 } from 'node:buffer';
import { MillraceError } from '../../base/errors.ts';
import { decodeBytes, encodeBytes } from '../../tensor/bytes.ts';
import type { Datatype } from '../../tensor/datatype.ts';
import { elementCount, typedData, type Tensor, type TensorSpec } from '../../tensor/tensor.ts';
import type { Ort, OrtSession, OrtTensor } from './ort.ts';

/** ONNX Runtime's type names for ours. BF16 is missing: the Node binding cannot pass it. */
const ORT_TYPES = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
} as const satisfies Partial<Record<Datatype, OrtTensor.Type>>;

const DATATYPES = new Map<string, Datatype>(
  Object.entries(ORT_TYPES).map(([datatype, type]) => [type, datatype as keyof typeof ORT_TYPES]),
);

/**
 * What the session says of its inputs or outputs; dimensions with a name become −1.
 * @throws Error saying which one is no tensor or has a datatype that KServe v2 lacks (int4)
 */
export function toSpecs(metadata: OrtSession['inputMetadata']): TensorSpec[] {
  return metadata.map((value) => {
    if (!value.isTensor) {
      throw new Error(
        `"${value.name}" is a sequence or map, not a tensor; export the model without it (scikit-learn: zipmap=False)`,
      );
    }
    const datatype = DATATYPES.get(value.type);
    if (datatype === undefined)
      throw new Error(`"${value.name}" has the datatype ${value.type}, which KServe v2 lacks`);
    const shape = value.shape.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : -1));
    return { name: value.name, datatype, shape };
  });
}

/**
 * For a run; numeric data is shared, not copied, where it is aligned.
 * @throws MillraceError MALFORMED_BYTES where text would not arrive whole, WRONG_DATATYPE for BF16
 */
export function toOrtTensor(ort: Ort, tensor: Tensor): OrtTensor {
  const { datatype, shape } = tensor;
  if (datatype === 'BYTES') return new ort.Tensor('string', stringsOf(tensor), shape);
  if (datatype === 'BF16') {
    throw new MillraceError('WRONG_DATATYPE', `tensor "${tensor.name}": ONNX Runtime's Node binding cannot pass BF16`);
  }
  // The binding refuses memory shared between threads.
  const own = tensor.data.buffer instanceof ArrayBuffer ? tensor : { ...tensor, data: tensor.data.slice() };
  return new ort.Tensor(ORT_TYPES[datatype], typedData(own) as Uint8Array, shape);
}

/** String tensors are UTF-8 C strings: they end at the first NUL, and other bytes turn into U+FFFD. Neither may pass unseen. */
function stringsOf(tensor: Tensor): string[] {
  const elements = decodeBytes(tensor.data, elementCount(tensor.shape), tensor.name);
  return elements.map((element, index) => {
    const fault = element.includes(0) ? 'holds a NUL byte' : isUtf8(element) ? undefined : 'is not valid UTF-8';
    if (fault === undefined) return element.toString('utf8');
    throw new MillraceError(
      'MALFORMED_BYTES',
      `tensor "${tensor.name}": element ${index} ${fault}; a model's string tensors take UTF-8 text without NUL`,
      { details: { tensor: tensor.name, element: index } },
    );
  });
}

/** A result, over the memory that ONNX Runtime gave it. */
export function fromOrtTensor(name: string, value: OrtTensor): Tensor {
  const datatype = DATATYPES.get(value.type);
  if (datatype === undefined) throw new Error(`output "${name}" came with the datatype ${value.type}`);
  const shape = [...value.dims];
  const { data } = value;
  if (Array.isArray(data)) return { name, datatype, shape, data: encodeBytes(data) };
  return { name, datatype, shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}
