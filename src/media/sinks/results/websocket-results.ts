import type { WebSocket } from 'undici';
import { MillraceError } from '../../../base/errors.ts';
import { hideKeys } from '../../ffmpeg/redact.ts';
import { BackOff } from '../../sources/back-off.ts';
import { resultJson } from './payload.ts';
import type { ResultDriver } from './result-queue.ts';
import type { ResultRecord } from './result-record.ts';

/** Unsent bytes from which on the next result waits. */
const HIGH_WATER = 1 << 20;
const CONNECT_MS = 10_000;
const POLL_MS = 20;

/** One message per frame to a WebSocket server. A lost connection is made again; results that come meanwhile are lost. */
export class WebsocketResults implements ResultDriver {
  readonly type = 'websocket';
  readonly target: string;
  readonly #url: string;
  readonly #backOff = new BackOff();
  #socket: WebSocket | undefined;
  #retryAtMs = 0;
  #isClosed = false;

  constructor(url: string) {
    this.#url = url;
    this.target = hideKeys(url);
  }

  async write(record: ResultRecord): Promise<void> {
    const socket = await this.#open();
    while (socket.bufferedAmount > HIGH_WATER && socket.readyState === socket.OPEN) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    if (socket.readyState !== socket.OPEN) throw this.#lost('the connection was lost');
    socket.send(JSON.stringify(resultJson(record)));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#socket?.close();
    return Promise.resolve();
  }

  async #open(): Promise<WebSocket> {
    const present = this.#socket;
    if (present !== undefined && present.readyState === present.OPEN) return present;
    // Some MiB that every host would have, for the few that need it.
    const { WebSocket } = await import('undici');
    if (performance.now() < this.#retryAtMs || this.#isClosed) throw this.#failure('not connected');
    const socket = (this.#socket = new WebSocket(this.#url));
    const isOpen = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), CONNECT_MS);
      const settle = (opened: boolean) => () => {
        clearTimeout(timer);
        resolve(opened);
      };
      socket.addEventListener('open', settle(true));
      socket.addEventListener('error', settle(false));
      socket.addEventListener('close', settle(false));
    });
    if (isOpen) {
      this.#backOff.succeeded();
      return socket;
    }
    socket.close();
    throw this.#lost('cannot be reached');
  }

  #lost(text: string): MillraceError {
    this.#retryAtMs = performance.now() + this.#backOff.next();
    return this.#failure(text);
  }

  #failure(text: string): MillraceError {
    return new MillraceError('SINK_FAILED', `sink websocket: ${this.target}: ${text}`);
  }
}
