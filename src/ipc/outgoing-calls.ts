import type { BufferPool } from '../base/buffer-pool.ts';
import type { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import { TransientMap } from '../base/transient-map.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { monotonicUs } from './clock.ts';
import { costOf, writeRequest } from './codec.ts';
import type { Connection } from './connection.ts';
import { MESSAGE } from './frame.ts';
import type { HeadWriter } from './head.ts';
import { abortChannel, givesBack } from './remote-session.ts';
import type { SessionLimits } from './session.ts';

interface Call {
  readonly loadId: number;
  readonly request: InferenceRequest;
  readonly bytes: number;
  /** As of `monotonicUs`. */
  readonly askedUs: number;
  resolve(response: InferenceResponse): void;
  reject(error: MillraceError): void;
}

export interface OutgoingCallsParts {
  readonly connection: Connection;
  /** A channel that nothing uses. */
  readonly newChannel: () => number;
  /** Requests' memory is given back once it is sent. */
  readonly pool?: BufferPool | undefined;
  /** What may be under way at once; the rest waits here. Undefined: who calls sees to that. */
  readonly limits?: SessionLimits | undefined;
}

/** Unary inferences that the other end of a connection is asked for: a host by the front, and the front by a host. */
export class OutgoingCalls {
  readonly #parts: OutgoingCallsParts;
  readonly #underWay = new TransientMap<number, Call>();
  #bytes = 0;
  #waiting: Call[] = [];
  #lost: MillraceError | undefined;

  constructor(parts: OutgoingCallsParts) {
    this.#parts = parts;
  }

  /** Calls under way. */
  get size(): number {
    return this.#underWay.size;
  }

  has(channel: number): boolean {
    return this.#underWay.has(channel);
  }

  /** @param cancellation ends the call at once, here and at the other end */
  infer(loadId: number, request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    return new Promise((resolve, reject) => {
      const fault = this.#lost ?? cancellation.error;
      if (fault !== undefined) return reject(fault);
      let channel: number | undefined;
      const forget = cancellation.onCancel((error) => {
        if (channel === undefined) this.#waiting = this.#waiting.filter((other) => other !== call);
        else if (this.#delete(channel) === undefined) return;
        else abortChannel(this.#parts.connection, channel, error);
        reject(error);
        this.#sendWaiting();
      });
      const call: Call & { start(): void } = {
        loadId,
        request,
        bytes: costOf(request.inputs),
        askedUs: monotonicUs(),
        resolve: (response) => {
          forget();
          resolve(response);
        },
        reject: (error) => {
          forget();
          reject(error);
        },
        start: () => {
          try {
            channel = this.#send(call);
          } catch (error) {
            call.reject(MillraceError.from(error));
          }
        },
      };
      if (this.#hasRoom(call)) call.start();
      else this.#waiting.push(call);
    });
  }

  /** A response came in. @returns whether it is of one of these calls */
  respond(channel: number, response: InferenceResponse): boolean {
    const call = this.#delete(channel);
    call?.resolve(response);
    this.#sendWaiting();
    return call !== undefined;
  }

  /** The end of a channel came in. @returns whether it is one of these calls */
  fail(channel: number, error: MillraceError | undefined): boolean {
    const call = this.#delete(channel);
    call?.reject(error ?? new MillraceError('INTERNAL', 'a call ended without a response'));
    this.#sendWaiting();
    return call !== undefined;
  }

  /** The connection is gone, and with it all calls, those to come too. */
  lose(error: MillraceError): void {
    this.#lost = error;
    const calls = [...this.#underWay.values(), ...this.#waiting];
    this.#underWay.clear();
    this.#waiting = [];
    this.#bytes = 0;
    for (const call of calls) call.reject(error);
  }

  #hasRoom({ bytes }: Call): boolean {
    const { limits } = this.#parts;
    if (limits === undefined || this.#underWay.size === 0) return true;
    return (
      this.#waiting.length === 0 && this.#underWay.size < limits.maxMessages && this.#bytes + bytes <= limits.maxBytes
    );
  }

  #send(call: Call): number {
    const { connection, newChannel, pool } = this.#parts;
    const channel = newChannel();
    const write = (writer: HeadWriter): readonly Uint8Array[] => {
      writer.varint(call.loadId);
      writer.varint(call.askedUs);
      return writeRequest(writer, call.request);
    };
    connection.send(MESSAGE.INFER, channel, write, givesBack(pool, call.request.inputs));
    this.#underWay.set(channel, call);
    this.#bytes += call.bytes;
    return channel;
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0) {
      const [next, ...rest] = this.#waiting as [Call & { start(): void }, ...Call[]];
      this.#waiting = [];
      const hasRoom = this.#hasRoom(next);
      this.#waiting = hasRoom ? rest : [next, ...rest];
      if (!hasRoom) return;
      next.start();
    }
  }

  #delete(channel: number): Call | undefined {
    const call = this.#underWay.get(channel);
    if (call === undefined) return undefined;
    this.#underWay.delete(channel);
    this.#bytes -= call.bytes;
    return call;
  }
}
