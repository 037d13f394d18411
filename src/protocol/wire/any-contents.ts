import { encodeBytes } from '../../tensor/bytes.ts';
import { DATATYPE_BYTES, viewOf, type Datatype, type TypedArray } from '../../tensor/datatype.ts';
import { numberToHalf } from '../../tensor/half.ts';
import type { InferFault } from './infer-faults.ts';
import { ProtoReader } from './proto-reader.ts';
import { LIST_OF, rawFromContents } from './typed-contents.ts';

type FaultOf = (fault: InferFault) => Error;

/** Reads one element that is not length-delimited. */
const READERS: Readonly<Record<number, { wireType: number; read: (reader: ProtoReader) => number | bigint }>> = {
  1: { wireType: 0, read: (reader) => Number(reader.bool()) },
  2: { wireType: 0, read: (reader) => reader.int32() },
  3: { wireType: 0, read: (reader) => reader.int64Exact() },
  4: { wireType: 0, read: (reader) => reader.int32() >>> 0 },
  5: { wireType: 0, read: (reader) => reader.uint64Exact() },
  6: { wireType: 5, read: (reader) => reader.buffer.readFloatLE(reader.advance(4)) },
  7: { wireType: 1, read: (reader) => reader.double() },
};
const BYTES_TAG = 66;
const LIST_OF_BYTES = 'BYTES';

/** Whether an `InferTensorContents` has no element in any list. */
export function isEmptyContents(contents: Buffer): boolean {
  return firstList(contents) === 0;
}

/**
 * As `rawFromContents`, but whichever list is filled is taken, its elements brought to `datatype` (MLServer sheet §2); FP16
 * and BF16 come as bytes. Throws what `faultOf` makes of a wrong count, and of a value that the datatype cannot hold.
 */
export function rawFromAnyContents(contents: Buffer, datatype: Datatype, count: number, faultOf: FaultOf): Uint8Array {
  const list = firstList(contents);
  if (list === 0 || list === LIST_OF[datatype]) {
    return rawFromContents(contents, datatype, count, faultOf);
  }
  if (list === 8) return halvesFromBytes(contents, datatype, count, faultOf);
  const values = numbersOf(contents, list, count + 1);
  if (values.length !== count) {
    throw faultOf({
      kind: 'valueCount',
      expected: count,
      actual: values.length,
      elementBytes: DATATYPE_BYTES[datatype],
    });
  }
  if (datatype === 'BYTES') return encodeBytes(values.map(String));
  if (datatype === 'BF16') throw faultOf({ kind: 'wrongTypedList', list: 'FP32', datatype });
  return converted(values, datatype, faultOf);
}

/** Field number of the first list with an element; 0: none has one. */
function firstList(contents: Buffer): number {
  const reader = new ProtoReader(contents);
  let first = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const field = tag >>> 3;
    const isElement = field >= 1 && field <= 8 && !((tag & 7) === 2 && field !== 8 && reader.buffer[reader.pos] === 0);
    if (isElement && (first === 0 || field < first)) first = field;
    reader.skip(tag);
  }
  return first;
}

function halvesFromBytes(contents: Buffer, datatype: Datatype, count: number, faultOf: FaultOf): Uint8Array {
  if (datatype !== 'FP16' && datatype !== 'BF16') {
    throw faultOf({ kind: 'wrongTypedList', list: LIST_OF_BYTES, datatype });
  }
  const reader = new ProtoReader(contents);
  const elements: Buffer[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === BYTES_TAG) elements.push(reader.bytes());
    else reader.skip(tag);
  }
  const data = elements.length === 1 ? (elements[0] as Buffer) : Buffer.concat(elements);
  if (data.length !== 2 * count) throw faultOf({ kind: 'byteSize', expected: 2 * count, actual: data.length });
  return data;
}

/** @param limit values beyond it are not read: the shape asks for fewer */
function numbersOf(contents: Buffer, list: number, limit: number): (number | bigint)[] {
  const reader = new ProtoReader(contents);
  const values: (number | bigint)[] = [];
  const element = READERS[list];
  for (let tag = reader.tag(); tag !== 0 && values.length < limit; tag = reader.tag()) {
    if (element === undefined || tag >>> 3 !== list) reader.skip(tag);
    else if ((tag & 7) === element.wireType) values.push(element.read(reader));
    else {
      const outer = reader.enter();
      while (reader.pos < reader.end && values.length < limit) values.push(element.read(reader));
      reader.leave(outer);
    }
  }
  return values;
}

function converted(
  values: readonly (number | bigint)[],
  datatype: Exclude<Datatype, 'BYTES' | 'BF16'>,
  faultOf: FaultOf,
): Uint8Array {
  const out: TypedArray = new (viewOf(datatype))(values.length);
  values.forEach((value, index) => {
    if (datatype === 'FP16') out[index] = numberToHalf(Number(value));
    else if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
      if (typeof value === 'bigint' || Number.isInteger(value)) out[index] = BigInt(value);
    } else if (datatype === 'BOOL') out[index] = Number(Number(value) !== 0);
    else out[index] = Number(value);
    const isKept = datatype === 'BOOL' || isFloat(datatype) || Number(out[index]) === Number(value);
    if (!isKept) throw faultOf({ kind: 'valueOutOfRange', value: Number(value), index, datatype });
  });
  return new Uint8Array(out.buffer, 0, out.byteLength);
}

function isFloat(datatype: Datatype): boolean {
  return datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64';
}
