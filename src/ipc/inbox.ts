import type { BufferPool } from '../base/buffer-pool.ts';
import { FLAG_FIRST, FLAG_LAST, FLAG_STORED, HEADER_BYTES, MAX_PAYLOAD_BYTES } from './frame.ts';
import { checkPlace, readMessage, type MessageStore } from './message-store.ts';

/** A shorter message has memory of its own. */
const MIN_POOLED_BYTES = 128 * 1024;

/** A whole message; `body` is 8-aligned memory of its own. */
export type OnMessage = (type: number, channel: number, body: Buffer) => void;

/** Where messages are that do not come over the stream. */
export interface IncomingStore {
  readonly store: MessageStore;
  /** What was at this place has been copied. */
  onRead(place: number): void;
}

interface Partial {
  readonly type: number;
  readonly body: Buffer;
  filled: number;
}

/** The reading half of a connection: bytes in any pieces → whole messages, each copied once. */
export class Inbox {
  readonly #onMessage: OnMessage;
  readonly #pool: BufferPool | undefined;
  readonly #stored: IncomingStore | undefined;
  readonly #partials = new Map<number, Partial>();
  readonly #header = Buffer.alloc(HEADER_BYTES + 4);
  #headerFilled = 0;
  /** Where the present frame's payload goes, and how much of it is still to come. */
  #target: Partial | undefined;
  #channel = 0;
  #flags = 0;
  #left = 0;

  /** @param pool where the memory of big messages comes from */
  constructor(onMessage: OnMessage, pool?: BufferPool, stored?: IncomingStore) {
    this.#pool = pool;
    this.#stored = stored;
    this.#onMessage = onMessage;
  }

  /** @throws Error when the bytes are not frames; the connection is then beyond repair */
  receive(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length || (this.#target !== undefined && this.#left === 0)) {
      at = this.#target === undefined ? this.#readHeader(chunk, at) : this.#readPayload(chunk, at);
    }
  }

  #readHeader(chunk: Buffer, at: number): number {
    let header: Buffer = this.#header;
    let base = 0;
    if (this.#headerFilled === 0 && chunk.length - at >= HEADER_BYTES + 4) {
      header = chunk;
      base = at;
      at += HEADER_BYTES;
    } else {
      const need = this.#headerNeed();
      const take = Math.min(need - this.#headerFilled, chunk.length - at);
      chunk.copy(this.#header, this.#headerFilled, at, at + take);
      this.#headerFilled += take;
      at += take;
      if (this.#headerFilled < this.#headerNeed()) return at;
    }
    const length = header.readUInt32LE(base);
    const type = header.readUInt8(base + 8);
    this.#flags = header.readUInt8(base + 9);
    this.#channel = header.readUInt32LE(base + 4);
    this.#left = length;
    if (length > MAX_PAYLOAD_BYTES) throw new Error(`frame of ${length} bytes, at most ${MAX_PAYLOAD_BYTES} expected`);
    if ((this.#flags & FLAG_FIRST) === 0) {
      const partial = this.#partials.get(this.#channel);
      if (partial === undefined) throw new Error(`continuation on channel ${this.#channel} without a first frame`);
      this.#target = partial;
    } else if ((this.#flags & FLAG_LAST) !== 0) {
      this.#target = { type, body: Buffer.allocUnsafe(length), filled: 0 };
    } else {
      const total = header.readUInt32LE(base + HEADER_BYTES);
      if (header === chunk) at += 4;
      this.#left -= 4;
      this.#target = { type, body: this.#take(total), filled: 0 };
      this.#partials.set(this.#channel, this.#target);
    }
    this.#headerFilled = 0;
    return at;
  }

  /** Bytes of the header in hand: 12, or 16 for the first frame of several. */
  #headerNeed(): number {
    if (this.#headerFilled < HEADER_BYTES) return HEADER_BYTES;
    return this.#header.readUInt8(9) === FLAG_FIRST ? HEADER_BYTES + 4 : HEADER_BYTES;
  }

  #readPayload(chunk: Buffer, at: number): number {
    const target = this.#target as Partial;
    const take = Math.min(this.#left, chunk.length - at);
    if (target.filled + take > target.body.length)
      throw new Error(`message longer than its ${target.body.length} bytes`);
    chunk.copy(target.body, target.filled, at, at + take);
    target.filled += take;
    this.#left -= take;
    if (this.#left > 0) return at + take;
    this.#target = undefined;
    if ((this.#flags & FLAG_LAST) !== 0) {
      if ((this.#flags & FLAG_FIRST) === 0) this.#partials.delete(this.#channel);
      if (target.filled !== target.body.length)
        throw new Error(`message of ${target.filled} bytes, ${target.body.length} announced`);
      const body = (this.#flags & FLAG_STORED) === 0 ? target.body : this.#readStored(target.body);
      this.#onMessage(target.type, this.#channel, body);
    }
    return at + take;
  }

  #readStored(frame: Buffer): Buffer {
    if (this.#stored === undefined || frame.length !== 8) throw new Error('a stored message, and there is no store');
    const place = frame.readUInt32LE(0);
    const bytes = frame.readUInt32LE(4);
    checkPlace(this.#stored.store, place, bytes);
    const body = this.#take(bytes);
    readMessage(this.#stored.store, place, body);
    this.#stored.onRead(place);
    return body;
  }

  /** Memory for a long message. */
  #take(bytes: number): Buffer {
    if (this.#pool === undefined || bytes < MIN_POOLED_BYTES) return Buffer.allocUnsafeSlow(bytes);
    return this.#pool.take(bytes);
  }
}
