import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { MillraceError, messageOf } from '../../../base/errors.ts';
import { resultText, type PayloadOptions } from './payload.ts';
import type { ResultDriver } from './result-queue.ts';
import type { Prediction, ResultRecord } from './result-record.ts';

export interface UdpResultsOptions {
  readonly host: string;
  readonly port: number;
  /** Without our own field. */
  readonly plain: boolean;
  readonly whenTooLong: 'split' | 'truncate';
}

/** Payload of an IPv4 datagram. */
const MAX_BYTES = 65_507;
const SEND_BUFFER = 65_536;
/** How long a name's address is trusted. */
const RESOLVED_MS = 10_000;

/**
 * One JSON datagram per frame, as Roboflow's `UDPSink` (sheet §4): IPv4, broadcast allowed. What is longer than a datagram
 * is split, each part whole JSON with the numbers of the part, or loses its worst detections, which it says.
 */
export class UdpResults implements ResultDriver {
  readonly type = 'udp';
  readonly #options: UdpResultsOptions;
  #socket: Promise<Socket> | undefined;
  #address: string | undefined;
  #resolvedAtMs = 0;
  #isClosed = false;

  constructor(options: UdpResultsOptions) {
    this.#options = options;
  }

  get target(): string {
    return `${this.#options.host}:${this.#options.port}`;
  }

  async write(record: ResultRecord): Promise<void> {
    const { port } = this.#options;
    if (!(port > 0 && port < 65_536)) throw new MillraceError('SINK_FAILED', `sink udp: port ${port} is none`);
    const address = await this.#resolve();
    const socket = await this.#open();
    for (const text of datagrams(record, this.#options)) {
      await new Promise<void>((resolve, reject) => {
        socket.send(text, port, address, (error) => (error === null ? resolve() : reject(error)));
      });
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const socket = await this.#socket?.catch(() => undefined);
    if (socket !== undefined) await new Promise<void>((resolve) => socket.close(() => resolve()));
  }

  #open(): Promise<Socket> {
    this.#socket ??= new Promise((resolve, reject) => {
      const socket = createSocket('udp4');
      socket.once('error', reject);
      socket.bind(0, () => {
        socket.setBroadcast(true);
        socket.setSendBufferSize(SEND_BUFFER);
        socket.off('error', reject).on('error', () => {}); // an unreachable receiver is told of to each send
        socket.unref();
        resolve(socket);
      });
    });
    return this.#socket;
  }

  async #resolve(): Promise<string> {
    const { host } = this.#options;
    if (isIPv4(host)) return host;
    const now = performance.now();
    if (this.#address !== undefined && now - this.#resolvedAtMs < RESOLVED_MS) return this.#address;
    try {
      const { address } = await lookup(host, { family: 4 });
      this.#resolvedAtMs = now;
      return (this.#address = address);
    } catch (error) {
      throw new MillraceError('SINK_FAILED', `sink udp: host "${host}" does not resolve: ${messageOf(error)}`, {
        details: { sink: this.target, cause: 'unreachable' },
      });
    }
  }
}

/** The texts of a result, none longer than a datagram. */
export function datagrams(record: ResultRecord, options: Pick<UdpResultsOptions, 'plain' | 'whenTooLong'>): string[] {
  const { plain } = options;
  const whole = resultText(record, { plain });
  // ASCII only: a character is a byte.
  if (whole.length <= MAX_BYTES) return [whole];
  const { predictions } = record.result;
  const textOf = (found: readonly Prediction[], more: PayloadOptions): string =>
    resultText(record, { ...more, plain: false, predictions: found });
  if (options.whenTooLong === 'truncate') {
    let count = predictions.length;
    for (let text = whole; text.length > MAX_BYTES && count > 0;) {
      count = Math.floor(count * Math.min(0.95, MAX_BYTES / text.length));
      text = textOf(predictions.slice(0, count), { truncated: predictions.length - count });
    }
    return fitting([textOf(predictions.slice(0, count), { truncated: predictions.length - count })], record);
  }
  for (let count = Math.ceil(whole.length / MAX_BYTES); ; count++) {
    const size = Math.ceil(predictions.length / count);
    const parts = Array.from({ length: count }, (_, index) =>
      textOf(predictions.slice(index * size, (index + 1) * size), { part: { index, count } }),
    );
    if (size <= 1 || parts.every((text) => text.length <= MAX_BYTES)) return fitting(parts, record);
  }
}

function fitting(texts: string[], { result }: ResultRecord): string[] {
  const longest = Math.max(...texts.map((text) => text.length));
  if (longest <= MAX_BYTES) return texts;
  throw new MillraceError(
    'SINK_FAILED',
    `sink udp: frame ${result.frame_id} needs ${longest} bytes in one datagram, ${MAX_BYTES} are possible; send its outputs through another sink`,
  );
}
