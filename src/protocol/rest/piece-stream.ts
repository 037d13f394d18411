import { Readable } from 'node:stream';
import type { MillraceError } from '../../base/errors.ts';
import type { Session } from '../../serving/data-plane.ts';
import { clientGone } from './disconnect.ts';

/**
 * A body that comes in pieces. Whoever sends it reads no faster than its client does, and its session is paused meanwhile;
 * destroying it aborts the session.
 */
export class PieceStream extends Readable {
  readonly #session: Session;
  #hasEnded = false;
  #failure: MillraceError | undefined;

  constructor(session: Session) {
    super({ highWaterMark: 1 });
    this.#session = session;
  }

  /** One more piece. */
  add(piece: Uint8Array): void {
    if (!this.push(piece)) this.#session.pause();
  }

  /** The session has ended; with an error the connection is cut behind what there was, since the status has left before. */
  finish(error: MillraceError | undefined): void {
    this.#hasEnded = true;
    this.#failure = error;
    if (error === undefined) this.push(null);
    else if (this.readableLength === 0) this.#cut();
  }

  /** Called before the last piece is handed over. */
  override _read(): void {
    if (this.#failure === undefined) this.#session.resume();
    else this.#cut();
  }

  #cut(): void {
    setImmediate(() => this.destroy(this.#failure));
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (!this.#hasEnded) this.#session.abort(clientGone());
    callback(error);
  }
}
