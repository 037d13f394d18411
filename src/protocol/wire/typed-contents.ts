import { DATATYPE_BYTES, type Datatype } from '../../tensor/datatype.ts';
import type { InferFault } from './infer-faults.ts';
import { ProtoReader } from './proto-reader.ts';

type FaultOf = (fault: InferFault) => Error;

/** A list of `InferTensorContents`: the datatype that names it in errors, and how its elements travel. */
interface TypedList {
  readonly name: Datatype;
  /** Wire type of one element outside a packed field: 0 varint, 1 and 5 fixed, 2 length-delimited. */
  readonly wireType: 0 | 1 | 2 | 5;
}

/** By field number. */
const LISTS: readonly (TypedList | undefined)[] = [
  undefined,
  { name: 'BOOL', wireType: 0 },
  { name: 'INT32', wireType: 0 },
  { name: 'INT64', wireType: 0 },
  { name: 'UINT32', wireType: 0 },
  { name: 'UINT64', wireType: 0 },
  { name: 'FP32', wireType: 5 },
  { name: 'FP64', wireType: 1 },
  { name: 'BYTES', wireType: 2 },
];

/** The list that carries each datatype, by field number; FP16 and BF16 have none. */
export const LIST_OF: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  INT8: 2,
  INT16: 2,
  INT32: 2,
  INT64: 3,
  UINT8: 4,
  UINT16: 4,
  UINT32: 4,
  UINT64: 5,
  FP16: 0,
  BF16: 0,
  FP32: 6,
  FP64: 7,
  BYTES: 8,
};

/**
 * The raw form of an `InferTensorContents` message. Packed floats are already raw and come back as a view. Throws what
 * `faultOf` makes of a list that does not fit, a value out of range or a wrong count.
 * @param count elements that the shape asks for
 */
export function rawFromContents(contents: Buffer, datatype: Datatype, count: number, faultOf: FaultOf): Uint8Array {
  return datatype === 'BYTES'
    ? bytesFromContents(contents, count, faultOf)
    : numbersFromContents(contents, datatype, count, faultOf);
}

/**
 * The next field of the list that carries `datatype`: true when it is packed, false when it is one element, undefined at
 * the end. Throws on another list that is not empty; skips what it does not know.
 */
function nextField(reader: ProtoReader, datatype: Datatype, faultOf: FaultOf): boolean | undefined {
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const field = tag >>> 3;
    const wireType = tag & 7;
    const list = LISTS[field];
    if (list !== undefined && (wireType === list.wireType || wireType === 2)) {
      if (field === LIST_OF[datatype]) return wireType !== list.wireType;
      const isEmpty = list.wireType !== 2 && wireType === 2 && reader.buffer[reader.pos] === 0;
      if (!isEmpty) throw faultOf({ kind: 'wrongTypedList', list: list.name, datatype });
    }
    reader.skip(tag);
  }
  return undefined;
}

/** Two passes, so that a message of millions of empty elements makes no objects. */
function bytesFromContents(contents: Buffer, count: number, faultOf: FaultOf): Uint8Array {
  let elements = 0;
  let size = 0;
  const counting = new ProtoReader(contents);
  while (nextField(counting, 'BYTES', faultOf) !== undefined) {
    const length = counting.uint32();
    counting.advance(length);
    size += 4 + length;
    elements++;
  }
  if (elements !== count) throw faultOf({ kind: 'valueCount', expected: count, actual: elements, elementBytes: 0 });
  const out = Buffer.allocUnsafe(size);
  const copying = new ProtoReader(contents);
  let at = 0;
  while (nextField(copying, 'BYTES', faultOf) !== undefined) {
    const length = copying.uint32();
    const from = copying.advance(length);
    at = out.writeUInt32LE(length, at);
    at += contents.copy(out, at, from, from + length);
  }
  return out;
}

function numbersFromContents(
  contents: Buffer,
  datatype: Exclude<Datatype, 'BYTES'>,
  count: number,
  faultOf: FaultOf,
): Uint8Array {
  const reader = new ProtoReader(contents);
  const width = DATATYPE_BYTES[datatype];
  const store = STORES[datatype];
  // Every element has at least one byte here: a shape that promises more cannot be filled, and must not be allocated.
  const room = Math.min(count, contents.length);
  let out: Buffer | undefined;
  let elements = 0;
  for (let packed = nextField(reader, datatype, faultOf); packed !== undefined;) {
    const outer = packed ? reader.enter() : reader.end;
    if (store === undefined) {
      const bytes = packed ? reader.end - reader.pos : width;
      const from = reader.advance(bytes);
      const whole = bytes - (bytes % width);
      if (elements === 0 && whole === count * width) out = contents.subarray(from, from + whole);
      else if (elements * width + whole <= room * width) {
        out ??= Buffer.allocUnsafe(room * width);
        contents.copy(out, elements * width, from, from + whole);
      }
      elements += whole / width;
    } else {
      out ??= Buffer.allocUnsafe(room * width);
      while (!packed || reader.pos < reader.end) {
        const bad = elements < room ? store(reader, out, elements * width) : void reader.int32();
        if (bad !== undefined) throw faultOf({ kind: 'valueOutOfRange', value: bad, index: elements, datatype });
        elements++;
        if (!packed) break;
      }
    }
    reader.leave(outer);
    packed = nextField(reader, datatype, faultOf);
  }
  if (elements !== count) throw faultOf({ kind: 'valueCount', expected: count, actual: elements, elementBytes: width });
  return out ?? new Uint8Array(0);
}

/** Reads one varint and writes it in raw form; returns a value that does not fit. */
type Store = (reader: ProtoReader, out: Buffer, at: number) => number | undefined;

const signed =
  (bits: 8 | 16): Store =>
  (reader, out, at) => {
    const value = reader.int32();
    const limit = 2 ** (bits - 1);
    if (value < -limit || value >= limit) return value;
    if (bits === 8) out.writeInt8(value, at);
    else out.writeInt16LE(value, at);
    return undefined;
  };

const unsigned =
  (bits: 8 | 16): Store =>
  (reader, out, at) => {
    const value = reader.int32() >>> 0;
    if (value >= 2 ** bits) return value;
    if (bits === 8) out.writeUInt8(value, at);
    else out.writeUInt16LE(value, at);
    return undefined;
  };

const int32: Store = (reader, out, at) => {
  out.writeInt32LE(reader.int32(), at);
  return undefined;
};

const int64: Store = (reader, out, at) => {
  reader.copyVarint64(out, at);
  return undefined;
};

const bool: Store = (reader, out, at) => {
  out[at] = reader.bool() ? 1 : 0;
  return undefined;
};

/** Undefined: fixed width on the wire too, copied as it is. */
const STORES: Readonly<Record<Exclude<Datatype, 'BYTES'>, Store | undefined>> = {
  BOOL: bool,
  INT8: signed(8),
  INT16: signed(16),
  INT32: int32,
  INT64: int64,
  UINT8: unsigned(8),
  UINT16: unsigned(16),
  UINT32: int32,
  UINT64: int64,
  FP16: undefined,
  BF16: undefined,
  FP32: undefined,
  FP64: undefined,
};
