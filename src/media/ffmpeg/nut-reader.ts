import { FILE_ID, FLAG, LONG_PACKET, MAIN, N, START_CODES, STREAM, SYNCPOINT } from './nut-format.ts';
import type { PipeTarget } from './pipe-reader.ts';

/** A frame as the container has it. */
export interface NutFrame {
  readonly data: Buffer;
  readonly timestampUs: number;
}

export interface NutReaderOptions {
  readonly onFrame: (frame: NutFrame) => void;
  /** A frame that is larger is a fault. */
  readonly maxFrameBytes: number;
  /** Memory for a frame; what it holds is overwritten. Default: new memory. */
  readonly allocate?: ((bytes: number) => Buffer) | undefined;
}

/** A frame whose end has not come. */
interface BegunFrame extends NutFrame {
  filled: number;
}

interface FrameCode {
  readonly flags: number;
  readonly ptsDelta: number;
  readonly sizeMul: number;
  readonly sizeLsb: number;
  readonly reserved: number;
  readonly headerIdx: number;
}

interface TimeBase {
  readonly num: number;
  readonly den: number;
}

/** Room for what comes between two frames, and no more: what is more is copied. */
const HEADS_BYTES = 4096;

/** Thrown, and caught by the reader: the bytes so far end within an element. */
const NEED_MORE = new Error('need more');

/**
 * Reads a NUT file with one video stream as it comes through a pipe (format: see `nut-format.ts`). Bytes of frames come
 * straight into memory of their own, but for the few that come with what is before them.
 */
export class NutReader implements PipeTarget {
  readonly #options: NutReaderOptions;
  /** What lies between frames, up to the first bytes of one; its first `#held` bytes are not yet understood. */
  #heads = Buffer.alloc(HEADS_BYTES);
  #held = 0;
  #isStarted = false;
  #codes: FrameCode[] = [];
  #elisions: Buffer[] = [];
  #timeBases: TimeBase[] = [];
  #timeBase: TimeBase = { num: 1, den: 1_000_000 };
  #msbPtsShift = 0;
  #lastPts = 0;
  #frame: BegunFrame | undefined;

  constructor(options: NutReaderOptions) {
    this.#options = options;
  }

  room(): Buffer {
    const frame = this.#frame;
    if (frame !== undefined) return frame.data.subarray(frame.filled);
    if (this.#held === this.#heads.length) this.#heads = Buffer.concat([this.#heads, Buffer.alloc(this.#held)]);
    return this.#heads.subarray(this.#held);
  }

  /** @throws Error on what is no NUT */
  filled(count: number): void {
    if (this.#frame !== undefined) return this.#grown(this.#frame, count);
    let bytes = this.#heads.subarray(0, this.#held + count);
    while (bytes.length > 0) {
      const taken = this.#begun(bytes) ?? this.#element(bytes);
      if (taken === 0) break;
      bytes = bytes.subarray(taken);
    }
    this.#held = bytes.copy(this.#heads);
  }

  /** Bytes that belong to a frame that has begun, if one has. @returns bytes used */
  #begun(bytes: Buffer): number | undefined {
    const frame = this.#frame;
    if (frame === undefined) return undefined;
    const copied = bytes.copy(frame.data, frame.filled);
    this.#grown(frame, copied);
    return copied;
  }

  #grown(frame: BegunFrame, bytes: number): void {
    frame.filled += bytes;
    if (frame.filled === frame.data.length) this.#emit(frame);
  }

  #emit({ data, timestampUs }: NutFrame): void {
    this.#frame = undefined;
    this.#options.onFrame({ data, timestampUs });
  }

  /** One header, or the head of a frame. @returns bytes used; 0 where more are needed */
  #element(bytes: Buffer): number {
    const cursor = new Cursor(bytes);
    try {
      if (!this.#isStarted) this.#readFileId(cursor);
      else if (bytes[0] === N) this.#readPacket(cursor);
      else this.#readFrameHead(cursor);
      return cursor.at;
    } catch (error) {
      if (error === NEED_MORE) return 0;
      throw error;
    }
  }

  #readFileId(cursor: Cursor): void {
    if (!cursor.take(FILE_ID.length).equals(FILE_ID)) throw new Error('no NUT file');
    this.#isStarted = true;
  }

  #readPacket(cursor: Cursor): void {
    const startCode = cursor.take(8);
    const size = cursor.varint();
    if (size > LONG_PACKET) cursor.take(4);
    if (size > this.#options.maxFrameBytes) throw new Error(`a NUT header of ${size} bytes`);
    const payload = new Cursor(cursor.take(size));
    try {
      if (startCode.equals(START_CODES[MAIN])) this.#readMain(payload, size - 4);
      else if (startCode.equals(START_CODES[STREAM])) this.#readStream(payload);
      else if (startCode.equals(START_CODES[SYNCPOINT])) this.#readSyncpoint(payload);
      // Info packets and the index say nothing that is needed here.
    } catch (error) {
      throw error === NEED_MORE ? new Error('a NUT header that is too short') : error;
    }
  }

  #readMain(cursor: Cursor, end: number): void {
    const version = cursor.varint();
    if (version > 3) throw new Error(`NUT version ${version}; 3 expected`);
    cursor.varint(); // streams: one was asked for
    cursor.varint(); // largest distance of sync points
    this.#timeBases = Array.from({ length: cursor.varint() }, () => ({ num: cursor.varint(), den: cursor.varint() }));
    this.#codes = readFrameCodes(cursor);
    this.#elisions = [Buffer.alloc(0)];
    if (cursor.at >= end) return;
    for (let left = cursor.varint(); left > 0; left--) this.#elisions.push(Buffer.from(cursor.take(cursor.varint())));
  }

  #readStream(cursor: Cursor): void {
    cursor.varint(); // its number
    cursor.varint(); // class: video
    cursor.take(cursor.varint()); // four characters
    this.#timeBase = this.#timeBases[cursor.varint()] ?? this.#timeBase;
    this.#msbPtsShift = cursor.varint();
  }

  #readSyncpoint(cursor: Cursor): void {
    const coded = cursor.varint();
    const { num, den } = this.#timeBases[coded % this.#timeBases.length] ?? this.#timeBase;
    const ticks = Math.floor(coded / this.#timeBases.length);
    this.#lastPts = Math.floor((ticks * num * this.#timeBase.den) / (den * this.#timeBase.num));
  }

  #readFrameHead(cursor: Cursor): void {
    const code = this.#codes[cursor.take(1)[0] as number];
    if (code === undefined || code.flags & FLAG.INVALID) throw new Error('no frame at a place where NUT has one');
    let { flags, headerIdx, reserved } = code;
    if (flags & FLAG.CODED) flags ^= cursor.varint();
    if (flags & FLAG.SIDE_DATA) throw new Error('NUT with side data');
    if (flags & FLAG.STREAM_ID) cursor.varint();
    const pts = flags & FLAG.CODED_PTS ? this.#fullPts(cursor.varint()) : this.#lastPts + code.ptsDelta;
    let size = code.sizeLsb;
    if (flags & FLAG.SIZE_MSB) size += code.sizeMul * cursor.varint();
    if (flags & FLAG.MATCH_TIME) cursor.varint();
    if (flags & FLAG.HEADER_IDX) headerIdx = cursor.varint();
    if (flags & FLAG.RESERVED) reserved = cursor.varint();
    for (; reserved > 0; reserved--) cursor.varint();
    if (flags & FLAG.CHECKSUM) cursor.take(4);
    if (size > this.#options.maxFrameBytes) throw new Error(`a frame of ${size} bytes`);
    // What many frames begin with is left out of short ones.
    const elided = (size > LONG_PACKET ? undefined : this.#elisions[headerIdx]) ?? Buffer.alloc(0);
    this.#lastPts = pts;
    const data = this.#options.allocate?.(size) ?? Buffer.allocUnsafeSlow(size);
    const { num, den } = this.#timeBase;
    const frame: BegunFrame = { data, filled: elided.copy(data), timestampUs: Math.round((pts * num * 1e6) / den) };
    if (frame.filled === size) this.#emit(frame);
    else this.#frame = frame;
  }

  /** A time whose high bits were left out is the one nearest to the last. */
  #fullPts(coded: number): number {
    const range = 2 ** this.#msbPtsShift;
    if (coded >= range) return coded - range;
    const base = this.#lastPts - Math.floor((range - 1) / 2);
    return base + ((((coded - base) % range) + range) % range);
  }
}

/** The table of frame codes, written as runs of like ones. */
function readFrameCodes(cursor: Cursor): FrameCode[] {
  const codes: FrameCode[] = [];
  let [ptsDelta, sizeMul, headerIdx] = [0, 1, 0];
  while (codes.length < 256) {
    const flags = cursor.varint();
    const fields = cursor.varint();
    if (fields > 0) ptsDelta = cursor.signed();
    if (fields > 1) sizeMul = cursor.varint();
    if (fields > 2) cursor.varint(); // stream
    const sizeLsb = fields > 3 ? cursor.varint() : 0;
    const reserved = fields > 4 ? cursor.varint() : 0;
    const count = fields > 5 ? cursor.varint() : sizeMul - sizeLsb;
    if (fields > 6) cursor.signed(); // match time
    if (fields > 7) headerIdx = cursor.varint();
    for (let more = 8; more < fields; more++) cursor.varint();
    if (count < 1 || count > 256) throw new Error('a NUT table of frame codes that is none');
    for (let i = 0; i < count && codes.length < 256; i++) {
      if (codes.length === N) codes.push(invalidCode());
      codes.push({ flags, ptsDelta, sizeMul, sizeLsb: sizeLsb + i, reserved, headerIdx });
    }
  }
  return codes;
}

function invalidCode(): FrameCode {
  return { flags: FLAG.INVALID, ptsDelta: 0, sizeMul: 0, sizeLsb: 0, reserved: 0, headerIdx: 0 };
}

class Cursor {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(count: number): Buffer {
    if (this.at + count > this.#bytes.length) throw NEED_MORE;
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  /** Exact up to 2^53. */
  varint(): number {
    for (let value = 0; ;) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) throw NEED_MORE;
      this.at++;
      value = value * 128 + (byte & 127);
      if (byte < 128) return value;
    }
  }

  signed(): number {
    const value = this.varint() + 1;
    return value % 2 === 1 ? -((value - 1) / 2) : value / 2;
  }
}
