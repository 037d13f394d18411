import type { BufferPool } from '../../base/buffer-pool.ts';
import { FRAME_BYTES } from './transport.ts';

/** Smaller messages are not worth it. */
const POOLED_BYTES = 256 * 1024;

/** Room made for a message on its header's word alone; more only as its bytes arrive. */
const FIRST_ALLOCATION = 8 * 1024 * 1024;

/**
 * Cuts gRPC frames (flag, length, message) out of the chunks of an HTTP/2 stream. A message within one chunk is a view of
 * it; one that spans chunks is copied once, into a buffer of its size.
 */
export class FrameDecoder {
  readonly #maxMessageBytes: number;
  readonly #pool: BufferPool | undefined;
  #header: Buffer | undefined;
  #frame: Buffer | undefined;
  #frameBytes = 0;
  #filled = 0;

  /**
   * @param maxMessageBytes −1: no limit
   * @param pool where the memory of messages that span many chunks comes from
   */
  constructor(maxMessageBytes: number, pool?: BufferPool) {
    this.#pool = pool;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** The frames that `chunk` completes, headers included. Throws when one announces more than the limit. */
  write(chunk: Buffer): Buffer[] {
    const data = this.#header === undefined ? chunk : Buffer.concat([this.#header, chunk]);
    this.#header = undefined;
    const frames: Buffer[] = [];
    let at = 0;
    while (at < data.length) {
      if (this.#frame !== undefined) {
        at += this.#fill(this.#frame, data, at);
        if (this.#filled === this.#frameBytes) {
          frames.push(this.#frame);
          this.#frame = undefined;
        }
      } else if (data.length - at < FRAME_BYTES) {
        this.#header = Buffer.from(data.subarray(at));
        break;
      } else {
        const length = data.readUInt32BE(at + 1);
        this.#check(length);
        const end = at + FRAME_BYTES + length;
        if (end <= data.length) {
          frames.push(data.subarray(at, end));
          at = end;
        } else {
          this.#frameBytes = FRAME_BYTES + length;
          this.#filled = 0;
          this.#frame = this.#allocate(Math.min(this.#frameBytes, FIRST_ALLOCATION));
        }
      }
    }
    return frames;
  }

  #allocate(bytes: number): Buffer {
    return this.#pool === undefined || bytes < POOLED_BYTES ? Buffer.allocUnsafeSlow(bytes) : this.#pool.take(bytes);
  }

  #check(length: number): void {
    if (this.#maxMessageBytes !== -1 && length > this.#maxMessageBytes) {
      throw new RangeError(`Received message larger than max (${length} vs ${this.#maxMessageBytes})`);
    }
  }

  #fill(frame: Buffer, data: Buffer, at: number): number {
    let into = frame;
    const take = Math.min(data.length - at, this.#frameBytes - this.#filled);
    if (this.#filled + take > into.length) {
      const size = Math.min(this.#frameBytes, Math.max(into.length * 2, this.#filled + take));
      into = Buffer.allocUnsafeSlow(size);
      frame.copy(into, 0, 0, this.#filled);
      this.#frame = into;
    }
    data.copy(into, this.#filled, at, at + take);
    this.#filled += take;
    return take;
  }
}
