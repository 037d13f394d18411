import type { Duplex } from 'node:stream';
import { Inbox, type OnMessage } from './inbox.ts';
import { HeadWriter } from './head.ts';
import type { MessageType } from './frame.ts';
import { Outbox } from './outbox.ts';

const NO_TENSORS: readonly Uint8Array[] = [];

/** One end of the protocol: messages in and out over a byte stream, and its end told once. */
export class Connection {
  readonly #stream: Duplex;
  readonly #outbox: Outbox;
  readonly #writer = new HeadWriter();
  #isClosed = false;

  /** @param onClose called once: the other end went away, or sent what is not frames */
  constructor(stream: Duplex, onMessage: OnMessage, onClose: (cause: Error | undefined) => void) {
    this.#stream = stream;
    this.#outbox = new Outbox(stream);
    const inbox = new Inbox(onMessage);
    const close = (cause?: Error): void => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      stream.destroy();
      onClose(cause);
    };
    stream.on('data', (chunk: Buffer) => {
      try {
        inbox.receive(chunk);
      } catch (error) {
        close(error instanceof Error ? error : new Error(String(error)));
      }
    });
    stream.on('error', close);
    stream.on('end', () => close());
    stream.on('close', () => close());
  }

  get pendingBytes(): number {
    return this.#outbox.pendingBytes;
  }

  /**
   * Sends one message. `write` fills in the head and returns the tensors that follow it, which must not change afterwards.
   * After the end of the connection this does nothing.
   */
  send(type: MessageType, channel: number, write?: (writer: HeadWriter) => readonly Uint8Array[] | void): void {
    if (this.#isClosed) return;
    const writer = this.#writer.start();
    const tensors = write?.(writer) ?? NO_TENSORS;
    this.#outbox.send(type, channel, writer.finish(), tensors);
  }

  /** Hands what is small to the operating system now. */
  flush(): void {
    if (!this.#isClosed) this.#outbox.flush();
  }

  /** Ends the stream; `onClose` follows. */
  close(): void {
    this.#outbox.flush();
    this.#stream.end();
  }
}
