import type { InferenceRequest } from '../tensor/inference.ts';
import { costOf } from './codec.ts';
import type { HeadReader, HeadWriter } from './head.ts';
import type { QueueUse, SessionProgress } from './session.ts';

/** What became of a session's requests since the last TAKEN message. */
export class ProgressTally {
  #messages = 0;
  #bytes = 0;
  #accepted = 0;
  #packetsIn = 0;
  #packetsDropped = 0;

  get isEmpty(): boolean {
    return this.#messages === 0 && this.#packetsDropped === 0;
  }

  taken(request: InferenceRequest, packets: number): void {
    this.settled(request);
    this.#accepted++;
    this.#packetsIn += packets;
  }

  dropped(packets: number, request?: InferenceRequest): void {
    if (request !== undefined) this.settled(request);
    this.#packetsDropped += packets;
  }

  /** It no longer counts against the session's credit. */
  settled(request: InferenceRequest): void {
    this.#messages++;
    this.#bytes += costOf(request.inputs);
  }

  /** Writes the message's head and begins anew. */
  write(writer: HeadWriter, queue: QueueUse): void {
    writer.varint(this.#messages);
    writer.varint(this.#bytes);
    writer.varint(this.#accepted);
    writer.varint(this.#packetsIn);
    writer.varint(this.#packetsDropped);
    writer.varint(queue.packets);
    writer.varint(queue.bytes);
    this.#messages = this.#bytes = this.#accepted = this.#packetsIn = this.#packetsDropped = 0;
  }
}

/** Reads what `ProgressTally.write` wrote. */
export function readProgress(head: HeadReader): { messages: number; bytes: number; progress: SessionProgress } {
  const messages = head.varint();
  const bytes = head.varint();
  const [accepted, packetsIn, packetsDropped] = [head.varint(), head.varint(), head.varint()];
  const queue = { packets: head.varint(), bytes: head.varint() };
  return { messages, bytes, progress: { accepted, packetsIn, packetsDropped, queue } };
}
