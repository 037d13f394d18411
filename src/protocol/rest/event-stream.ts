import type { ServerResponse } from 'node:http';

import { MillraceError } from '../../base/errors.ts';
import type { Session, SessionSink } from '../../serving/data-plane.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import { clientGone } from './disconnect.ts';
import { errorBody, httpStatus } from './status.ts';

/** `x-accel-buffering`: nginx would hold events back. */
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
};

/**
 * Writes a session's responses as server-sent events, each at once. The headers wait for the first response or the end, so
 * that an error before any response keeps its HTTP status; later ones become an event. A client that reads slowly pauses
 * the session; one that leaves aborts it.
 */
export class EventStream implements SessionSink {
  readonly #reply: ServerResponse;
  readonly #encode: (response: InferenceResponse) => string;
  readonly #extraHeaders: Record<string, string>;
  readonly #onFault: (error: MillraceError) => void;
  #session: Session | undefined;
  #hasEnded = false;
  /** Events that the connection has not taken. */
  #unwritten = 0;

  /**
   * @param encode a response as one line of JSON
   * @param extraHeaders sent with the reply, whatever it is
   * @param onFault told of every failure that reaches the client
   */
  constructor(
    reply: ServerResponse,
    encode: (response: InferenceResponse) => string,
    extraHeaders: Record<string, string>,
    onFault: (error: MillraceError) => void,
  ) {
    this.#reply = reply;
    this.#encode = encode;
    this.#extraHeaders = extraHeaders;
    this.#onFault = onFault;
  }

  /** Call once, right after the session is open. */
  attach(session: Session): void {
    this.#session = session;
    const reply = this.#reply;
    const leave = (): void => {
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      session.abort(clientGone());
    };
    if (reply.destroyed) return leave();
    reply.once('close', leave);
    reply.on('drain', () => session.resume());
  }

  onResponse(response: InferenceResponse): void {
    if (this.#hasEnded) return;
    let event: string;
    try {
      event = `data: ${this.#encode(response)}\n\n`;
    } catch (error) {
      const failure = MillraceError.from(error);
      this.#fail(failure);
      this.#session?.abort(failure);
      return;
    }
    const reply = this.#reply;
    if (!reply.headersSent) reply.writeHead(200, { ...HEADERS, ...this.#extraHeaders });
    this.#unwritten++;
    if (!reply.write(event, this.#written) || this.#session?.kind === 'runtime') this.#session?.pause();
  }

  /** The one request was refused, so there is nothing to wait for; the session would go on. */
  onRequestError(_requestId: string, error: MillraceError): void {
    this.#fail(error);
    this.#session?.abort(error);
  }

  onEnd(error: MillraceError | undefined): void {
    if (this.#hasEnded) return;
    if (error !== undefined) return this.#fail(error);
    this.#hasEnded = true;
    if (!this.#reply.headersSent) this.#reply.writeHead(200, { ...HEADERS, ...this.#extraHeaders });
    this.#reply.end();
  }

  onDrain(): void {}

  /** A runtime makes nothing that the connection cannot take. */
  readonly #written = (): void => {
    this.#unwritten--;
    if (this.#unwritten === 0 && this.#session?.kind === 'runtime') this.#session.resume();
  };

  #fail(error: MillraceError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onFault(error);
    const reply = this.#reply;
    const body = errorBody(error.message, error.reason);
    if (reply.headersSent) {
      reply.end(`data: ${body}\n\n`);
      return;
    }
    reply.writeHead(httpStatus(error), {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      ...this.#extraHeaders,
    });
    reply.end(body);
  }
}
