import type { MqttClient } from 'mqtt';
import { MillraceError, messageOf } from '../../../base/errors.ts';
import { hideInAddress } from '../../ffmpeg/redact.ts';
import { resultJson } from './payload.ts';
import type { ResultDriver } from './result-queue.ts';
import type { ResultRecord } from './result-record.ts';

export interface MqttOptions {
  /** With user name and password where the broker wants them. */
  readonly url: string;
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

const CONNECT_MS = 5_000;
const RECONNECT_MS = 1_000;
const PUBLISH_MS = 10_000;

/** One message per frame. The client connects again by itself; what comes while it is not connected is lost. */
export class MqttResults implements ResultDriver {
  readonly type = 'mqtt';
  readonly target: string;
  readonly #options: MqttOptions;
  #client: Promise<MqttClient> | undefined;
  #lastError = 'not connected';

  constructor(options: MqttOptions) {
    this.#options = options;
    this.target = `${hideInAddress(options.url)} ${options.topic}`;
  }

  async write(record: ResultRecord): Promise<void> {
    const { topic, qos, retain } = this.#options;
    const client = await this.#opened();
    if (!client.connected) await this.#connected(client);
    await this.#within(client.publishAsync(topic, JSON.stringify(resultJson(record)), { qos, retain }));
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    await client?.endAsync(true);
  }

  async #opened(): Promise<MqttClient> {
    try {
      return await (this.#client ??= this.#connect());
    } catch (error) {
      this.#client = undefined;
      throw this.#failure(messageOf(error));
    }
  }

  async #connect(): Promise<MqttClient> {
    // Some MiB that every host would have, for the few that need it.
    const { connect } = await import('mqtt');
    const client = connect(this.#options.url, {
      connectTimeout: CONNECT_MS,
      reconnectPeriod: RECONNECT_MS,
      // Messages that wait are ours to count.
      queueQoSZero: false,
    });
    client.on('error', (error) => (this.#lastError = error.message));
    return client;
  }

  /** @throws MillraceError when the broker does not answer in time */
  async #connected(client: MqttClient): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (then: () => void) => () => {
        clearTimeout(timer);
        client.off('connect', onConnect).off('close', onClose);
        then();
      };
      const onConnect = settle(resolve);
      const onClose = settle(() => reject(this.#failure(this.#lastError)));
      const timer = setTimeout(onClose, CONNECT_MS);
      client.once('connect', onConnect).once('close', onClose);
    });
  }

  async #within(publishing: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#failure(`no answer within ${PUBLISH_MS} ms`)), PUBLISH_MS);
    });
    try {
      await Promise.race([publishing, limit]);
    } finally {
      clearTimeout(timer);
      publishing.catch(() => {});
    }
  }

  #failure(text: string): MillraceError {
    return new MillraceError('SINK_FAILED', `sink mqtt: ${this.target}: ${text}`);
  }
}
