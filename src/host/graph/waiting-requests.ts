import { costOf } from '../../ipc/codec.ts';
import type { QueueUse } from '../../ipc/session.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import type { PendingPacket } from './graph-program.ts';

/** A request that was found good and is not yet in the graph. */
export interface WaitingRequest {
  readonly request: InferenceRequest;
  /** Which one of its session, counting from 0. */
  readonly index: number;
  readonly packets: readonly PendingPacket[];
  /** Its inputs of which the newest packet wins. */
  readonly newest: readonly string[];
}

/** The requests of a session that wait for room in the graph, in their order. */
export class WaitingRequests {
  #requests: WaitingRequest[] = [];

  get size(): number {
    return this.#requests.length;
  }

  get first(): WaitingRequest | undefined {
    return this.#requests[0];
  }

  get use(): QueueUse {
    let packets = 0;
    let bytes = 0;
    for (const waiting of this.#requests) {
      packets += waiting.packets.length;
      bytes += costOf(waiting.request.inputs);
    }
    return { packets, bytes };
  }

  add(request: WaitingRequest): void {
    this.#requests.push(request);
  }

  shift(): WaitingRequest | undefined {
    return this.#requests.shift();
  }

  clear(): void {
    this.#requests = [];
  }

  /** Those that `next` takes the place of: each has a packet for one of its inputs of which the newest wins. */
  replacedBy({ newest }: WaitingRequest): readonly WaitingRequest[] {
    if (newest.length === 0) return [];
    return this.#requests.filter((waiting) => waiting.newest.some((input) => newest.includes(input)));
  }

  remove(request: WaitingRequest): void {
    this.#requests.splice(this.#requests.indexOf(request), 1);
  }

  has(request: WaitingRequest): boolean {
    return this.#requests.includes(request);
  }

  replace(request: WaitingRequest, by: WaitingRequest): void {
    this.#requests[this.#requests.indexOf(request)] = by;
  }
}
