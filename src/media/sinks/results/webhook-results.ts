import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { MillraceError, messageOf } from '../../../base/errors.ts';
import { hideKeys } from '../../ffmpeg/redact.ts';
import { LOGIN_FAULT, loginOf } from './login.ts';
import { resultJson } from './payload.ts';
import type { ResultDriver } from './result-queue.ts';
import type { ResultRecord } from './result-record.ts';

export interface WebhookOptions {
  readonly url: string;
  readonly secret: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Tries after the first one. */
  readonly retries: number;
  readonly timeoutMs: number;
  readonly onlyDetections: boolean;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;

/**
 * One POST per frame. Statuses 408, 425, 429 and 5xx, and connections that fail, are tried again, with waits that double.
 * With a secret the header `X-Millrace-Signature` is `sha256=` and the HMAC of the body in hex; `X-Millrace-Delivery` is the
 * same for all tries of a result.
 */
export class WebhookResults implements ResultDriver {
  readonly type = 'webhook';
  readonly target: string;
  readonly #options: WebhookOptions;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #closing = new AbortController();
  /** Numbers of results come again where a host was lost before it told of them. */
  readonly #run = randomUUID().slice(0, 8);
  #posting: AbortController | undefined;

  /** @throws MillraceError SINK_FAILED for a user or password that cannot be decoded */
  constructor(options: WebhookOptions) {
    this.#options = options;
    this.target = hideKeys(options.url);
    const url = new URL(options.url);
    // fetch refuses URLs with credentials.
    const login = this.#loginOf(url);
    this.#headers = login === undefined ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
    url.username = url.password = '';
    this.#url = url.href;
  }

  async write(record: ResultRecord): Promise<void> {
    const { onlyDetections, retries } = this.#options;
    if (onlyDetections && record.result.predictions.length === 0) return;
    const body = JSON.stringify(resultJson(record));
    const id = `${record.pipelineId}-${this.#run}-${record.sequence}`;
    for (let tries = 0, waitMs = FIRST_WAIT_MS; ; tries++, waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      const fault = await this.#post(body, id);
      if (fault === undefined) return;
      if (!fault.mayPass || tries >= retries || this.#closing.signal.aborted) {
        throw new MillraceError('SINK_FAILED', `sink webhook: ${this.target}: ${fault.text}`);
      }
      await delay(waitMs * (0.8 + 0.4 * Math.random()), undefined, { signal: this.#closing.signal }).catch(() => {});
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#posting?.abort();
    return Promise.resolve();
  }

  #loginOf(url: URL): string | undefined {
    try {
      const login = loginOf(url);
      return login && `${login.user}:${login.password}`;
    } catch {
      throw new MillraceError('SINK_FAILED', `sink webhook: ${this.target}: ${LOGIN_FAULT}`);
    }
  }

  async #post(body: string, id: string): Promise<{ text: string; mayPass: boolean } | undefined> {
    const { secret, headers, timeoutMs } = this.#options;
    const signature =
      secret === undefined
        ? {}
        : { 'x-millrace-signature': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` };
    // One of its own for each: signals made of a long-lived one gather at that.
    const posting = (this.#posting = new AbortController());
    if (this.#closing.signal.aborted) posting.abort();
    const timer = setTimeout(() => posting.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'x-millrace-delivery': id,
          ...this.#headers,
          ...signature,
          ...headers,
        },
        redirect: 'manual',
        signal: posting.signal,
      });
      await response.body?.cancel();
      if (response.ok) return undefined;
      const { status } = response;
      return { text: `status ${status}`, mayPass: status >= 500 || [408, 425, 429].includes(status) };
    } catch (error) {
      const { cause } = error as { readonly cause?: unknown };
      return { text: messageOf(cause ?? error), mayPass: true };
    } finally {
      clearTimeout(timer);
    }
  }
}
