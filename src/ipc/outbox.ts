import type { Duplex } from 'node:stream';
import { MillraceError } from '../base/errors.ts';
import {
  FLAG_FIRST,
  FLAG_LAST,
  FLAG_STORED,
  HEADER_BYTES,
  isUrgent,
  MAX_PAYLOAD_BYTES,
  opensChannel,
  padded,
  type MessageType,
} from './frame.ts';
import type { StoreWriter } from './message-store.ts';

const SLAB_BYTES = 64 * 1024;
/** Messages up to this size are copied into the slab: one write for many of them. */
const COPY_BYTES = 16 * 1024;
/** Bytes handed to the stream before big messages wait, so that small ones are never far behind. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** What the frames' 32 bits can tell. */
const MAX_MESSAGE_BYTES = 2 ** 32 - 1;
const ZEROS = new Uint8Array(8);

/** A message longer than the slab takes, on its way out frame by frame. */
interface Backlogged {
  readonly type: MessageType;
  readonly channel: number;
  readonly parts: readonly Uint8Array[];
  readonly total: number;
  readonly onSent: (() => void) | undefined;
  sent: number;
  part: number;
  offset: number;
}

/**
 * The writing half of a connection. Small messages gather in a slab that is written once per turn of the event loop; big
 * tensors are written by reference, at most 256 KiB at a time, channels taking turns.
 */
export class Outbox {
  readonly #stream: Duplex;
  readonly #store: StoreWriter | undefined;
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #start = 0;
  #end = 0;
  #isScheduled = false;
  /** Channels with unsent frames, in turn; each with its messages in order. */
  readonly #backlog = new Map<number, Backlogged[]>();

  /** @param store for messages of middling size, which then are never in the way of others */
  constructor(stream: Duplex, store?: StoreWriter) {
    this.#stream = stream;
    this.#store = store;
    stream.on('drain', () => this.#pump());
  }

  /**
   * `head` is copied; `tensors` are referenced until they are written and must not change.
   * @throws MillraceError REQUEST_TOO_LARGE, before anything is sent
   * @param onSent called when big tensors are no longer looked at; never for a message that is copied, withdrawn or lost
   */
  send(
    type: MessageType,
    channel: number,
    head: Uint8Array,
    tensors: readonly Uint8Array[],
    onSent?: () => void,
  ): void {
    let total = padded(4 + head.byteLength);
    for (const tensor of tensors) total += padded(tensor.byteLength);
    if (total > MAX_MESSAGE_BYTES) throw tooLarge(total);
    const queued = this.#backlog.size > 0 ? this.#backlog.get(channel) : undefined;
    if (total <= COPY_BYTES && (queued === undefined || mayOvertake(type, queued))) {
      this.#copy(type, channel, head, tensors, total);
      this.#schedule();
      return;
    }
    const parts = partsOf(head, tensors);
    if (queued === undefined && this.#putInStore(type, channel, parts, total)) {
      onSent?.();
      return;
    }
    const message: Backlogged = { type, channel, parts, total, onSent, sent: 0, part: 0, offset: 0 };
    if (queued === undefined) this.#backlog.set(channel, [message]);
    else queued.push(message);
    this.#schedule();
  }

  /**
   * Sends a short message along with the next one that is flushed or sent.
   * @param isLimited at the latest after a turn of the event loop
   */
  sendAlong(type: MessageType, channel: number, head: Uint8Array, isLimited: boolean): void {
    this.#copy(type, channel, head, [], padded(4 + head.byteLength));
    if (isLimited && !this.#isScheduled) setImmediate(() => this.#schedule());
  }

  /**
   * Drops the messages of a channel of which nothing was sent yet.
   * @returns whether the channel's first was among them: the other end has not heard of the channel, nor will it
   */
  withdraw(channel: number): boolean {
    const queued = this.#backlog.get(channel) ?? [];
    const underWay = queued.filter(({ sent }) => sent > 0);
    if (underWay.length > 0) this.#backlog.set(channel, underWay);
    else this.#backlog.delete(channel);
    return queued.some(({ type, sent }) => sent === 0 && opensChannel(type));
  }

  /** Hands all small messages to the operating system now. @param onLeft called when they have left, or are lost */
  flush(onLeft?: () => void): void {
    if (this.#end > this.#start && !this.#stream.destroyed) {
      this.#stream.write(this.#slab.subarray(this.#start, this.#end), onLeft);
    } else {
      onLeft?.();
    }
    this.#start = this.#end;
  }

  /**
   * Writes what waits before a model run blocks the thread.
   * @returns settles when all small messages have left, behind what was written before them; undefined: they have
   */
  flushed(): Promise<void> | undefined {
    const left = new Promise<void>((resolve) => this.flush(() => resolve()));
    if (this.#backlog.size > 0) this.#pump();
    return this.#stream.writableLength === 0 ? undefined : left;
  }

  #copy(type: MessageType, channel: number, head: Uint8Array, tensors: readonly Uint8Array[], total: number): void {
    let at = this.#reserve(HEADER_BYTES + total);
    const slab = this.#slab;
    at = writeHeader(slab, at, total, channel, type, FLAG_FIRST | FLAG_LAST);
    slab.writeUInt32LE(head.byteLength, at);
    slab.set(head, at + 4);
    at += padded(4 + head.byteLength);
    for (const tensor of tensors) {
      slab.set(tensor, at);
      at += padded(tensor.byteLength);
    }
  }

  #putInStore(type: MessageType, channel: number, parts: readonly Uint8Array[], total: number): boolean {
    if (this.#store?.takes(total) !== true) return false;
    const place = this.#store.write(parts, total);
    if (place === undefined) return false;
    const start = this.#reserve(HEADER_BYTES + 8);
    const at = writeHeader(this.#slab, start, 8, channel, type, FLAG_FIRST | FLAG_LAST | FLAG_STORED);
    this.#slab.writeUInt32LE(place, at);
    this.#slab.writeUInt32LE(total, at + 4);
    this.#schedule();
    return true;
  }

  #reserve(bytes: number): number {
    if (this.#end + bytes > SLAB_BYTES) {
      this.flush();
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#start = 0;
      this.#end = 0;
    }
    const at = this.#end;
    this.#end += bytes;
    return at;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#stream.destroyed) {
      this.#backlog.clear();
      this.#start = this.#end;
      return;
    }
    this.#stream.cork();
    this.flush();
    while (this.#backlog.size > 0 && this.#stream.writableLength < HIGH_WATER_BYTES) {
      const [channel, messages] = this.#backlog.entries().next().value as [number, Backlogged[]];
      this.#backlog.delete(channel);
      this.#writeFrame(messages[0] as Backlogged);
      if ((messages[0] as Backlogged).sent === (messages[0] as Backlogged).total) messages.shift();
      if (messages.length > 0) this.#backlog.set(channel, messages);
    }
    this.flush();
    this.#stream.uncork();
  }

  #writeFrame(message: Backlogged): void {
    const isFirst = message.sent === 0;
    let room = Math.min(MAX_PAYLOAD_BYTES - 4, message.total - message.sent);
    const isLast = message.sent + room === message.total;
    const hasTotal = isFirst && !isLast;
    let at = this.#reserve(HEADER_BYTES + (hasTotal ? 4 : 0));
    const flags = (isFirst ? FLAG_FIRST : 0) | (isLast ? FLAG_LAST : 0);
    at = writeHeader(this.#slab, at, room + (hasTotal ? 4 : 0), message.channel, message.type, flags);
    if (hasTotal) this.#slab.writeUInt32LE(message.total, at);
    this.flush();
    message.sent += room;
    while (room > 0) {
      const part = message.parts[message.part] as Uint8Array;
      const take = Math.min(room, part.byteLength - message.offset);
      message.offset += take;
      room -= take;
      const isEnd = isLast && room === 0;
      this.#stream.write(part.subarray(message.offset - take, message.offset), isEnd ? message.onSent : undefined);
      if (message.offset === part.byteLength) {
        message.part++;
        message.offset = 0;
      }
    }
  }
}

/** A message's bytes, by reference but for its head. */
function partsOf(head: Uint8Array, tensors: readonly Uint8Array[]): Uint8Array[] {
  const first = Buffer.alloc(padded(4 + head.byteLength));
  first.writeUInt32LE(head.byteLength, 0);
  first.set(head, 4);
  const parts: Uint8Array[] = [first];
  for (const tensor of tensors) {
    if (tensor.byteLength > 0) parts.push(tensor);
    const padding = padded(tensor.byteLength) - tensor.byteLength;
    if (padding > 0) parts.push(ZEROS.subarray(0, padding));
  }
  return parts;
}

function mayOvertake(type: MessageType, queued: readonly Backlogged[]): boolean {
  return isUrgent(type) && !queued.some((message) => opensChannel(message.type));
}

function writeHeader(to: Buffer, at: number, length: number, channel: number, type: number, flags: number): number {
  to.writeUInt32LE(length, at);
  to.writeUInt32LE(channel, at + 4);
  to.writeUInt32LE(type | (flags << 8), at + 8);
  return at + HEADER_BYTES;
}

function tooLarge(bytes: number): MillraceError {
  const text = `a message of ${bytes} bytes between processes: at most ${MAX_MESSAGE_BYTES} expected`;
  return new MillraceError('REQUEST_TOO_LARGE', text, { details: { expected: MAX_MESSAGE_BYTES } });
}
