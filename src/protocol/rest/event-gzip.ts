import { constants, crc32, deflateRawSync } from 'node:zlib';

/** ID, deflate, no flags, no time, no level, unknown system (RFC 1952). */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** An empty block that is the last one. */
const LAST_BLOCK = Buffer.from([3, 0]);
/** How far back deflate may refer. */
const WINDOW_BYTES = 4096;

/**
 * Makes one gzip stream out of events, each complete as soon as it is written: a client that unpacks what has come sees
 * every event at once. In place of a compressor per stream, which would hold memory and take a thread's turn for each
 * event, every piece is deflated on its own, with what came before it as the dictionary.
 */
export class EventGzip {
  #before = Buffer.alloc(0);
  #crc = 0;
  #size = 0;
  #hasBegun = false;

  /** The bytes for an event, to be sent after those that came before. @param text not empty */
  write(text: string): Buffer {
    const plain = Buffer.from(text);
    const dictionary = this.#before.length === 0 ? {} : { dictionary: this.#before };
    const packed = deflateRawSync(plain, {
      level: 1,
      windowBits: 12,
      finishFlush: constants.Z_SYNC_FLUSH,
      ...dictionary,
    });
    this.#crc = crc32(plain, this.#crc);
    this.#size = (this.#size + plain.length) >>> 0;
    this.#before = plain.length >= WINDOW_BYTES ? plain.subarray(-WINDOW_BYTES) : this.#remember(plain);
    if (this.#hasBegun) return packed;
    this.#hasBegun = true;
    return Buffer.concat([HEADER, packed]);
  }

  /** What ends the stream. */
  end(): Buffer {
    const trailer = Buffer.allocUnsafe(8);
    trailer.writeUInt32LE(this.#crc, 0);
    trailer.writeUInt32LE(this.#size, 4);
    return Buffer.concat(this.#hasBegun ? [LAST_BLOCK, trailer] : [HEADER, LAST_BLOCK, trailer]);
  }

  #remember(plain: Buffer): Buffer<ArrayBuffer> {
    return Buffer.concat([this.#before, plain]).subarray(-WINDOW_BYTES);
  }
}
