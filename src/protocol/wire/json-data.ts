import { isUtf8 } from 'node:buffer';
import { MillraceError } from '../../base/errors.ts';
import { viewOf, type Datatype, type TypedArray } from '../../tensor/datatype.ts';
import { numberToHalf } from '../../tensor/half.ts';
import { ElementScanner } from './json-elements.ts';
import type { JsonDialect } from './json-fields.ts';
import type { JsonSlice } from './json-reader.ts';
import { NumberChunk } from './plain-numbers.ts';

type IntegerDatatype = 'UINT8' | 'INT8' | 'UINT16' | 'INT16' | 'UINT32' | 'INT32';

const RANGES: Record<IntegerDatatype, readonly [number, number]> = {
  UINT8: [0, 255],
  INT8: [-128, 127],
  UINT16: [0, 65535],
  INT16: [-32768, 32767],
  UINT32: [0, 4294967295],
  INT32: [-2147483648, 2147483647],
};
const MAX_FP32 = 3.4028234663852886e38;
/** Half of the step above it rounds to infinity. */
const FP32_OVERFLOW = MAX_FP32 + 2 ** 103;
const CHUNK = 1024;
/** Only used within one call that never waits, so one will do: making it costs more than reading a small tensor. */
const SCRATCH = new NumberChunk(CHUNK);

/**
 * Elements of a JSON `data` array (flat or nested, row-major) as raw little-endian bytes. The one place that checks typed
 * data: count, type, range.
 * @param count elements that the shape asks for
 * @param dialect MLServer's: `null` is NaN, and FP16 is given in numbers
 * @throws WRONG_DATATYPE, WRONG_SHAPE, MALFORMED_REQUEST; each names the tensor, what came and what was expected
 */
export function decodeData(
  bytes: Buffer,
  slice: JsonSlice,
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  count: number,
  dialect: JsonDialect = 'triton',
): Uint8Array {
  const target: Target = { bytes, slice, name, datatype, shape, count, dialect };
  if (datatype === 'BF16' || (datatype === 'FP16' && dialect === 'triton')) throw noJsonForm(name, datatype);
  // Each element takes a byte at least, so a shape cannot make us allocate more than was sent.
  if (count > slice.end - slice.start) throw wrongCount(target, countElements(target));
  if (datatype === 'BYTES') return fillStrings(target);
  if (datatype === 'BOOL') return fillBooleans(target);
  if (datatype === 'INT64' || datatype === 'UINT64') return fillLongs(target, datatype === 'INT64');
  if (datatype === 'FP16') return fillHalves(target);
  const out = new (viewOf(datatype))(count);
  if (datatype === 'FP32') return fillNumbers(target, out, checkSingle);
  if (datatype === 'FP64') return parseDoubles(target) ?? fillNumbers(target, out, undefined);
  return fillNumbers(target, out, checkInteger(...RANGES[datatype]));
}

interface Target {
  readonly bytes: Buffer;
  readonly slice: JsonSlice;
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly count: number;
  readonly dialect: JsonDialect;
}

type CheckChunk = (chunk: Float64Array, length: number, at: number, target: Target) => void;

function checkInteger(min: number, max: number): CheckChunk {
  return (chunk, length, at, target) => {
    for (let i = 0; i < length; i++) {
      const value = chunk[i] ?? 0;
      // Also true for NaN.
      if (!(value >= min && value <= max) || value !== Math.trunc(value)) {
        throw wrongElement(target, at + i, String(value), `an integer from ${min} to ${max}`);
      }
    }
  };
}

function checkSingle(chunk: Float64Array, length: number, at: number, target: Target): void {
  for (let i = 0; i < length; i++) {
    const value = chunk[i] ?? 0;
    if (Math.abs(value) >= FP32_OVERFLOW && Math.abs(value) !== Infinity) {
      throw wrongElement(target, at + i, String(value), `a number up to ${MAX_FP32}`);
    }
  }
}

function fillNumbers(target: Target, out: TypedArray, check: CheckChunk | undefined): Uint8Array {
  const values = out as Float32Array; // `set` of all but the bigint arrays
  const scanner = new ElementScanner(target.bytes, target.slice, target.datatype === 'FP32' ? 'single' : 'double');
  const chunk = SCRATCH;
  const isNullable = target.dialect === 'mlserver' && (out instanceof Float32Array || out instanceof Float64Array);
  let written = 0;
  let waiting = 0;
  const flush = (): void => {
    check?.(chunk.values, waiting, written, target);
    if (written + waiting > target.count) throw wrongCount(target, countElements(target));
    if (waiting === CHUNK) values.set(chunk.values, written);
    else for (let i = 0; i < waiting; i++) values[written + i] = chunk.values[i] ?? 0;
    written += waiting;
    waiting = 0;
  };
  while (scanner.next()) {
    if (written + waiting >= target.count) throw wrongCount(target, countElements(target));
    if (scanner.isNumber()) waiting = scanner.numbers(chunk, waiting);
    else if (isNullable && scanner.takeNull()) chunk.values[waiting++] = NaN;
    else {
      flush();
      throw wrongElement(target, written, scanner.describe(), 'a number');
    }
    if (scanner.overflow !== undefined) {
      waiting--;
      flush();
      throw wrongElement(target, written, scanner.overflow.slice(0, 40), `a number up to ${Number.MAX_VALUE}`);
    }
    if (waiting === CHUNK) flush();
  }
  flush();
  if (written !== target.count) throw wrongCount(target, written);
  return new Uint8Array(out.buffer, 0, out.byteLength);
}

function fillHalves(target: Target): Uint8Array {
  const values = new Float64Array(target.count);
  fillNumbers(target, values, undefined);
  return new Uint8Array(Uint16Array.from(values, numberToHalf).buffer);
}

/** `JSON.parse` reads long doubles faster than we can; undefined where it cannot or may not read these. */
function parseDoubles({ bytes, slice, count }: Target): Uint8Array | undefined {
  let values: unknown;
  try {
    values = JSON.parse(bytes.toString('latin1', slice.start, slice.end));
  } catch {
    return undefined;
  }
  if (!Array.isArray(values) || values.length !== count) return undefined;
  if (!values.every((value) => typeof value === 'number' && Number.isFinite(value))) return undefined;
  return new Uint8Array(Float64Array.from(values as number[]).buffer);
}

function fillLongs(target: Target, signed: boolean): Uint8Array {
  const scanner = new ElementScanner(target.bytes, target.slice, 'long');
  const longs = new BigInt64Array(target.count);
  const halves = new Int32Array(longs.buffer);
  const chunk = SCRATCH;
  let index = 0;
  while (scanner.next()) {
    if (index === target.count) throw wrongCount(target, countElements(target));
    if (!scanner.isNumber()) throw wrongElement(target, index, scanner.describe(), 'an integer');
    const read = scanner.numbers(chunk, 0);
    if (read === 0) {
      longs[index] = checkLong(target, index, scanner.integer(), signed, scanner);
      index++;
    }
    if (index + read > target.count) throw wrongCount(target, countElements(target));
    for (let i = 0; i < read; i++) {
      const value = chunk.values[i] ?? 0;
      if (value !== Math.trunc(value) || (!signed && value < 0)) throw notLong(target, index, String(value), signed);
      const high = Math.floor(value / 4294967296);
      halves[index * 2] = value - high * 4294967296;
      halves[index * 2 + 1] = high;
      index++;
    }
  }
  if (index !== target.count) throw wrongCount(target, index);
  return new Uint8Array(longs.buffer);
}

function checkLong(
  target: Target,
  index: number,
  value: bigint | undefined,
  signed: boolean,
  scanner: ElementScanner,
): bigint {
  if (value === undefined) throw notLong(target, index, scanner.describe(), signed);
  if ((signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) !== value) {
    throw notLong(target, index, String(value), signed);
  }
  return value;
}

function notLong(target: Target, index: number, actual: string, signed: boolean): MillraceError {
  const [min, max] = signed ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n];
  return wrongElement(target, index, actual, `an integer from ${min} to ${max}`);
}

function fillBooleans(target: Target): Uint8Array {
  const scanner = new ElementScanner(target.bytes, target.slice);
  const out = new Uint8Array(target.count);
  let index = 0;
  while (scanner.next()) {
    if (index === target.count) throw wrongCount(target, countElements(target));
    const value = scanner.boolean() ?? (scanner.isNumber() ? scanner.number() : undefined);
    if (value !== true && value !== false && value !== 0 && value !== 1) {
      throw wrongElement(
        target,
        index,
        value === undefined ? scanner.describe() : String(value),
        'true, false, 0 or 1',
      );
    }
    out[index++] = Number(value);
  }
  if (index !== target.count) throw wrongCount(target, index);
  return out;
}

/** BYTES elements from strings, each with its uint32 length. */
function fillStrings(target: Target): Uint8Array {
  const { bytes, slice } = target;
  if (!isUtf8(bytes.subarray(slice.start, slice.end))) {
    throw new MillraceError(
      'MALFORMED_REQUEST',
      `input "${target.name}": "data" is not valid UTF-8; send such bytes with the binary extension ("binary_data_size")`,
      { details: { tensor: target.name } },
    );
  }
  const scanner = new ElementScanner(bytes, slice);
  const out = Buffer.allocUnsafe(4 * target.count + slice.end - slice.start);
  let at = 0;
  let index = 0;
  while (scanner.next()) {
    if (index === target.count) throw wrongCount(target, countElements(target));
    const length = scanner.copyString(out, at + 4);
    if (length === undefined) throw wrongElement(target, index, scanner.describe(), 'a string');
    out.writeUInt32LE(length, at);
    at += 4 + length;
    index++;
  }
  if (index !== target.count) throw wrongCount(target, index);
  return out.subarray(0, at);
}

/** Elements that a `data` array holds, of whatever type. */
export function countElements({ bytes, slice }: { readonly bytes: Buffer; readonly slice: JsonSlice }): number {
  const scanner = new ElementScanner(bytes, slice);
  let count = 0;
  for (; scanner.next(); count++) scanner.skip();
  return count;
}

export function noJsonForm(name: string, datatype: Datatype): MillraceError {
  return new MillraceError(
    'WRONG_DATATYPE',
    `input "${name}": ${datatype} has no JSON form; send it with the binary extension ("binary_data_size")`,
    { details: { tensor: name, datatype } },
  );
}

function wrongElement({ name, datatype }: Target, index: number, actual: string, expected: string): MillraceError {
  return new MillraceError(
    'WRONG_DATATYPE',
    `input "${name}" (${datatype}): data[${index}] is ${actual}, ${expected} expected`,
    { details: { tensor: name, datatype, index, actual, expected } },
  );
}

function wrongCount({ name, shape, count }: Target, actual: number): MillraceError {
  return new MillraceError(
    'WRONG_SHAPE',
    `input "${name}": ${actual} elements in "data", ${count} expected for shape [${shape.join(',')}]`,
    { details: { tensor: name, actual, expected: count } },
  );
}
