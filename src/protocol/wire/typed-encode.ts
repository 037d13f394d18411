import { decodeBytes } from '../../tensor/bytes.ts';
import type { Datatype } from '../../tensor/datatype.ts';
import { elementCount, typedData, type Tensor } from '../../tensor/tensor.ts';
import { big64Size, fieldSize, int64Size, type ProtoWriter } from './proto-writer.ts';

/** How a tensor's elements are written into `InferTensorContents`. */
interface Layout {
  /** Tag of the list, length-delimited: packed numbers, or one element of bytes. */
  readonly tag: number;
  readonly form: 'raw' | 'varint' | 'bytes';
}

/** FP16 and BF16 have no list of their own: MLServer puts their bytes into `bytes_contents` (its sheet, §2). */
const LAYOUTS: Readonly<Record<Datatype, Layout>> = {
  BOOL: { tag: 10, form: 'raw' },
  INT8: { tag: 18, form: 'varint' },
  INT16: { tag: 18, form: 'varint' },
  INT32: { tag: 18, form: 'varint' },
  INT64: { tag: 26, form: 'varint' },
  UINT8: { tag: 34, form: 'varint' },
  UINT16: { tag: 34, form: 'varint' },
  UINT32: { tag: 34, form: 'varint' },
  UINT64: { tag: 42, form: 'varint' },
  FP16: { tag: 66, form: 'raw' },
  BF16: { tag: 66, form: 'raw' },
  FP32: { tag: 50, form: 'raw' },
  FP64: { tag: 58, form: 'raw' },
  BYTES: { tag: 66, form: 'bytes' },
};

/** A tensor's `InferTensorContents`: its size first, then its bytes. */
export interface TypedContents {
  readonly size: number;
  write(writer: ProtoWriter): void;
}

/** @throws MALFORMED_BYTES where BYTES data does not hold what the shape says */
export function typedContents(tensor: Tensor): TypedContents {
  const { tag, form } = LAYOUTS[tensor.datatype];
  if (form === 'bytes') return bytesContents(tensor, tag);
  if (form === 'varint') return varintContents(tensor, tag);
  const { data } = tensor;
  return {
    size: data.byteLength === 0 ? 0 : fieldSize(data.byteLength),
    write: (writer) => {
      if (data.byteLength === 0) return;
      writer.open(tag, data.byteLength);
      writer.raw(data);
    },
  };
}

function bytesContents({ data, shape, name }: Tensor, tag: number): TypedContents {
  const elements = decodeBytes(data, elementCount(shape), name);
  let size = 0;
  for (const element of elements) size += fieldSize(element.length);
  return {
    size,
    write: (writer) => {
      for (const element of elements) {
        writer.open(tag, element.length);
        writer.raw(element);
      }
    },
  };
}

function varintContents(tensor: Tensor, tag: number): TypedContents {
  const values = typedData(tensor);
  let content = 0;
  for (const value of values) content += typeof value === 'bigint' ? big64Size(value) : int64Size(value);
  return {
    size: content === 0 ? 0 : fieldSize(content),
    write: (writer) => {
      if (content === 0) return;
      writer.open(tag, content);
      for (const value of values) {
        if (typeof value === 'bigint') writer.big64(value);
        else writer.int64(value);
      }
    },
  };
}
