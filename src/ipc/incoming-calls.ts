import type { BufferPool } from '../base/buffer-pool.ts';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import { TransientMap } from '../base/transient-map.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { monotonicUs } from './clock.ts';
import { readRequest, writeError, writeResponse, writeResponseTiming } from './codec.ts';
import type { Connection } from './connection.ts';
import { MESSAGE } from './frame.ts';
import type { HeadReader } from './head.ts';
import { givesBack } from './remote-session.ts';

/** @param waitedMs how long the request was under way, which is long where this process was blocked by a model's run */
export type Infer = (
  loadId: number,
  request: InferenceRequest,
  cancellation: Cancellation,
  waitedMs: number,
) => Promise<InferenceResponse>;

/** Unary inferences that the other end of a connection asks for: the front a host, and a host the front. */
export class IncomingCalls {
  readonly #connection: Connection;
  readonly #infer: Infer;
  readonly #onFault: (error: unknown) => void;
  readonly #pool: BufferPool | undefined;
  readonly #underWay = new TransientMap<number, Cancellation>();

  /**
   * @param onFault told of every error that is not ours to send, for the log
   * @param pool responses' memory is given back once it is sent
   */
  constructor(connection: Connection, infer: Infer, onFault: (error: unknown) => void, pool?: BufferPool) {
    this.#connection = connection;
    this.#infer = infer;
    this.#onFault = onFault;
    this.#pool = pool;
  }

  /** A response that cannot be encoded is a fault of its servable: it ends the call, never the process. */
  async answer(channel: number, body: Buffer, head: HeadReader, tensorsAt: number): Promise<void> {
    const cancellation = new Cancellation();
    this.#underWay.set(channel, cancellation);
    try {
      const loadId = head.varint();
      const waitedMs = Math.max(0, monotonicUs() - head.varint()) / 1000;
      const response = await this.#infer(loadId, readRequest(body, head, tensorsAt), cancellation, waitedMs);
      if (cancellation.error !== undefined) return;
      this.#connection.send(
        MESSAGE.RESPONSE,
        channel,
        (writer) => {
          writeResponseTiming(writer, undefined);
          return writeResponse(writer, response);
        },
        givesBack(this.#pool, response.outputs),
      );
    } catch (error) {
      if (cancellation.error === undefined) endChannel(this.#connection, channel, error, this.#onFault);
    } finally {
      this.#underWay.delete(channel);
    }
  }

  cancel(channel: number, error: MillraceError): void {
    this.#underWay.get(channel)?.cancel(error);
  }

  cancelAll(error: MillraceError): void {
    for (const cancellation of this.#underWay.values()) cancellation.cancel(error);
  }
}

/** Ends a channel with what went wrong; what is not ours to send is told `onFault`. */
export function endChannel(
  connection: Connection,
  channel: number,
  cause: unknown,
  onFault: (error: unknown) => void,
): void {
  const error = MillraceError.from(cause);
  if (error !== cause) onFault(cause);
  connection.send(MESSAGE.END, channel, (writer) => {
    writer.byte(1);
    writeError(writer, error);
  });
}
