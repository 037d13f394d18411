import type { Duplex } from 'node:stream';
import type { BufferPool } from '../base/buffer-pool.ts';
import { Inbox, type OnMessage } from './inbox.ts';
import { HeadWriter } from './head.ts';
import { MESSAGE, type MessageType } from './frame.ts';
import { openBody } from './codec.ts';
import { closeMessageStores, StoreWriter, type MessageStores } from './message-store.ts';
import { Outbox } from './outbox.ts';

const NO_TENSORS: readonly Uint8Array[] = [];

/**
 * Makes the stream of a connection. `onBytes` may be called with memory that is reused afterwards: a socket opened with
 * `onread` saves an allocation per read, and thereby most of the garbage collections that big tensors cost.
 */
export type OpenStream = (onBytes: (chunk: Buffer) => void) => Duplex;

/** For a stream that exists already. */
export function fromStream(stream: Duplex): OpenStream {
  return (onBytes) => stream.on('data', onBytes);
}

/** One end of the protocol: messages in and out over a byte stream, and its end told once. */
export class Connection {
  readonly #stream: Duplex;
  readonly #outbox: Outbox;
  readonly #writer = new HeadWriter();
  #isClosed = false;

  /**
   * @param onClose called once: the other end went away, or sent what is not frames
   * @param pool where the memory of big messages comes from; who is done with one gives it back
   * @param stores memory that both ends have, for messages that the stream would take in pieces; closed with the connection
   */
  constructor(
    open: OpenStream,
    onMessage: OnMessage,
    onClose: (cause: Error | undefined) => void,
    pool?: BufferPool,
    stores?: MessageStores,
  ) {
    const writer = stores && new StoreWriter(stores.outgoing);
    const receive: OnMessage = (type, channel, body) => {
      if (type === MESSAGE.FREED) writer?.free(openBody(body).head.varint());
      else onMessage(type, channel, body);
    };
    const onRead = (place: number): void => this.#freed(place);
    const inbox = new Inbox(receive, pool, stores && { store: stores.incoming, onRead });
    const close = (cause?: Error): void => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      stream.destroy();
      closeMessageStores(stores);
      onClose(cause);
    };
    const stream = open((chunk) => {
      try {
        inbox.receive(chunk);
      } catch (error) {
        close(error instanceof Error ? error : new Error(String(error)));
      }
    });
    this.#stream = stream;
    this.#outbox = new Outbox(stream, writer);
    stream.on('error', close);
    stream.on('end', () => close());
    stream.on('close', () => close());
  }

  /**
   * Sends one message. `write` fills in the head and returns the tensors that follow it, which must not change afterwards.
   * After the end of the connection this does nothing.
   * @param onSent as of `Outbox.send`
   */
  send(
    type: MessageType,
    channel: number,
    write?: (writer: HeadWriter) => readonly Uint8Array[] | void,
    onSent?: () => void,
  ): void {
    if (this.#isClosed) return;
    const writer = this.#writer.start();
    const tensors = write?.(writer) ?? NO_TENSORS;
    this.#outbox.send(type, channel, writer.finish(), tensors, onSent);
  }

  /** As `send`, of a short message without a channel that need not go out before others that follow soon. */
  sendAlong(type: MessageType, write: (writer: HeadWriter) => void): void {
    if (this.#isClosed) return;
    const writer = this.#writer.start();
    write(writer);
    this.#outbox.sendAlong(type, 0, writer.finish(), true);
  }

  /** As of `Outbox.withdraw`. */
  withdraw(channel: number): boolean {
    return this.#outbox.withdraw(channel);
  }

  /** As of `Outbox.flushed`. */
  flushed(): Promise<void> | undefined {
    return this.#isClosed ? undefined : this.#outbox.flushed();
  }

  /** Hands what is small to the operating system now. */
  flush(): void {
    if (!this.#isClosed) this.#outbox.flush();
  }

  #freed(place: number): void {
    if (this.#isClosed) return;
    const head = this.#writer.start();
    head.varint(place);
    this.#outbox.sendAlong(MESSAGE.FREED, 0, head.finish(), false);
  }

  /** Ends the stream; `onClose` follows. */
  close(): void {
    this.#outbox.flush();
    this.#stream.end();
  }
}
