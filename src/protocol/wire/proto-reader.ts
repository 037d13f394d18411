import { isUtf8 } from 'node:buffer';
import { MillraceError } from '../../base/errors.ts';

const TWO_32 = 4_294_967_296;
/** Deeper groups (which KServe never sends) are refused, so that skipping one cannot exhaust the stack. */
const MAX_GROUP_DEPTH = 64;

/** The bytes are no message of the expected type: truncated, or not protobuf. */
export function malformedProto(): MillraceError {
  return new MillraceError('MALFORMED_REQUEST', 'Unable to parse request');
}

/**
 * Reads protobuf wire format from one buffer, front to back. `end` bounds every read: a nested message is read by lowering
 * it (`enter`) and putting it back (`leave`). Anything that does not parse throws `malformedProto`.
 */
export class ProtoReader {
  readonly buffer: Buffer;
  pos: number;
  end: number;
  /** Halves of the last 64-bit varint, unsigned. */
  #low = 0;
  #high = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
    this.pos = 0;
    this.end = buffer.length;
  }

  /** The next field's tag (`number << 3 | wire type`), or 0 at the end of this message. */
  tag(): number {
    if (this.pos === this.end) return 0;
    const tag = this.uint32();
    if (tag < 8) throw malformedProto();
    return tag;
  }

  /** A tag or a length. */
  uint32(): number {
    if (this.pos < this.end) {
      const byte = this.buffer[this.pos] as number;
      if (byte < 128) {
        this.pos++;
        return byte;
      }
    }
    this.#varint();
    if (this.#high !== 0) throw malformedProto();
    return this.#low;
  }

  /** An int32, which is sent sign-extended: the low 32 bits of its varint. */
  int32(): number {
    this.#varint();
    return this.#low | 0;
  }

  /** An int64 as a number; not a safe integer where the value is not one. */
  int64(): number {
    if (this.pos < this.end) {
      const byte = this.buffer[this.pos] as number;
      if (byte < 128) {
        this.pos++;
        return byte;
      }
    }
    this.#varint();
    return (this.#high | 0) * TWO_32 + this.#low;
  }

  int64Exact(): bigint {
    const value = this.int64();
    return Number.isSafeInteger(value) ? BigInt(value) : (BigInt(this.#high | 0) << 32n) | BigInt(this.#low);
  }

  uint64Exact(): bigint {
    this.#varint();
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  bool(): boolean {
    this.#varint();
    return (this.#low | this.#high) !== 0;
  }

  /** Reads a varint and appends its 64 bits to `out` at `at`, little-endian. */
  copyVarint64(out: Buffer, at: number): void {
    this.#varint();
    out.writeUInt32LE(this.#low, at);
    out.writeUInt32LE(this.#high, at + 4);
  }

  double(): number {
    const at = this.advance(8);
    return this.buffer.readDoubleLE(at);
  }

  /** A length-delimited field as a view. */
  bytes(): Buffer {
    const length = this.uint32();
    const at = this.advance(length);
    return this.buffer.subarray(at, at + length);
  }

  /** A string field; proto3 demands UTF-8, so anything else is malformed. */
  string(): string {
    const length = this.uint32();
    const at = this.advance(length);
    // Names are short ASCII as a rule; building them here is cheaper than a call into C++.
    if (length > 24) return this.#longString(at, length);
    let text = '';
    for (let i = at; i < at + length; i++) {
      const byte = this.buffer[i] as number;
      if (byte > 127) return this.#longString(at, length);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** Enters the length-delimited message at hand; give the result to `leave`. */
  enter(): number {
    const length = this.uint32();
    const outer = this.end;
    if (length > outer - this.pos) throw malformedProto();
    this.end = this.pos + length;
    return outer;
  }

  leave(outer: number): void {
    this.end = outer;
  }

  /** Skips a field that is not known, of whatever wire type. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case 0:
        this.#varint();
        return;
      case 1:
        this.advance(8);
        return;
      case 2:
        this.advance(this.uint32());
        return;
      case 3:
        this.#skipGroup(tag, depth);
        return;
      case 5:
        this.advance(4);
        return;
      default:
        throw malformedProto();
    }
  }

  #skipGroup(tag: number, depth: number): void {
    if (depth === MAX_GROUP_DEPTH) throw malformedProto();
    const endTag = tag + 1;
    for (;;) {
      const inner = this.tag();
      if (inner === endTag) return;
      if (inner === 0) throw malformedProto();
      this.skip(inner, depth + 1);
    }
  }

  #longString(at: number, length: number): string {
    const bytes = this.buffer.subarray(at, at + length);
    if (!isUtf8(bytes)) throw malformedProto();
    return bytes.toString('utf8');
  }

  /** Passes over `length` bytes and returns where they begin. */
  advance(length: number): number {
    const at = this.pos;
    if (length > this.end - at) throw malformedProto();
    this.pos = at + length;
    return at;
  }

  #varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.pos >= this.end) throw malformedProto();
      const byte = this.buffer[this.pos++] as number;
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 128) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw malformedProto();
  }
}
