import type { ServerResponse } from 'node:http';
import { MillraceError } from '../../base/errors.ts';
import type { Session, SessionSink } from '../../serving/data-plane.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import { clientGone } from './disconnect.ts';
import { EventGzip } from './event-gzip.ts';
import type { FailureReply } from './failure.ts';
import { replyHeaders } from './headers.ts';

/** `x-accel-buffering`: nginx would hold events back. */
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
};

/** Events that are written without waiting for those that came in with them. */
const TOGETHER_CHARS = 16 * 1024;

/** How a session's responses become events. */
export interface EventForm {
  /** A response as one line of JSON. */
  readonly encode: (response: InferenceResponse) => string;
  readonly failure: (error: MillraceError) => FailureReply;
  /** Sent with the reply, whatever it is. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether events are compressed, each by itself. */
  readonly gzip: boolean;
  /** Told of every failure that reaches the client. */
  readonly onFault: (error: MillraceError) => void;
}

/**
 * Writes a session's responses as server-sent events, each at once; those that came in together leave together. The headers
 * wait for the first response or the end, so that an error before any response keeps its HTTP status; later ones become an
 * event. A client that reads slowly pauses the session; one that leaves aborts it.
 */
export class EventStream implements SessionSink {
  readonly #reply: ServerResponse;
  readonly #form: EventForm;
  readonly #gzip: EventGzip | undefined;
  #session: Session | undefined;
  #hasEnded = false;
  /** Events of this turn of the event loop. */
  #events = '';
  /** Writes that the connection has not taken. */
  #unwritten = 0;

  constructor(reply: ServerResponse, form: EventForm) {
    this.#reply = reply;
    this.#form = form;
    this.#gzip = form.gzip ? new EventGzip() : undefined;
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
      event = `data: ${this.#form.encode(response)}\n\n`;
    } catch (error) {
      const failure = MillraceError.from(error);
      this.#fail(failure);
      this.#session?.abort(failure);
      return;
    }
    if (!this.#reply.headersSent) this.#begin(response);
    if (this.#events === '') process.nextTick(this.#write);
    this.#events += event;
    if (this.#events.length >= TOGETHER_CHARS) this.#write();
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
    if (!this.#reply.headersSent) this.#begin(undefined);
    this.#finish('');
  }

  onDrain(): void {}

  readonly #write = (): void => {
    if (this.#hasEnded || this.#events === '') return;
    const events = this.#events;
    this.#events = '';
    this.#unwritten++;
    if (!this.#reply.write(this.#gzip?.write(events) ?? events, this.#written) || this.#session?.kind === 'runtime')
      this.#session?.pause();
  };

  /** A runtime makes nothing that the connection cannot take. */
  readonly #written = (): void => {
    this.#unwritten--;
    if (this.#unwritten === 0 && this.#session?.kind === 'runtime') this.#session.resume();
  };

  /** Sends the headers; a runtime's are those of its first response. */
  #begin(first: InferenceResponse | undefined): void {
    this.#reply.writeHead(200, {
      ...replyHeaders(first?.headers),
      ...HEADERS,
      ...(this.#gzip !== undefined && { 'content-encoding': 'gzip', vary: 'accept-encoding' }),
      ...this.#form.headers,
    });
  }

  #fail(error: MillraceError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#form.onFault(error);
    const reply = this.#reply;
    const { status, body } = this.#form.failure(error);
    if (reply.headersSent) return this.#finish(`data: ${body}\n\n`);
    reply.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      ...this.#form.headers,
    });
    reply.end(body);
  }

  /** The events of this turn, one more, and the end. */
  #finish(event: string): void {
    const events = this.#events + event;
    if (this.#gzip === undefined) this.#reply.end(events);
    else if (events === '') this.#reply.end(this.#gzip.end());
    else this.#reply.end(Buffer.concat([this.#gzip.write(events), this.#gzip.end()]));
  }
}
