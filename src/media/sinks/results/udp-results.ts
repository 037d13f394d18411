import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { MillraceError, messageOf } from '../../../base/errors.ts';
import { predictionText, resultFrame } from './payload.ts';
import type { ResultDriver } from './result-queue.ts';
import type { ResultRecord } from './result-record.ts';

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
const SEPARATOR = ', ';
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

/**
 * The texts of a result, none longer than a datagram; all but its predictions is in each.
 * @throws MillraceError SINK_FAILED where that and one prediction are too long
 */
export function datagrams(record: ResultRecord, options: Pick<UdpResultsOptions, 'plain' | 'whenTooLong'>): string[] {
  const { head, foot } = resultFrame(record);
  const found = record.result.predictions.map(predictionText);
  const whole = head + found.join(SEPARATOR) + foot(options);
  // ASCII only: a character is a byte.
  if (whole.length <= MAX_BYTES) return [whole];
  const most = found.length;
  if (options.whenTooLong === 'truncate') {
    const room = MAX_BYTES - head.length - foot({ truncated: most }).length;
    if (room < 0) throw tooLong(record, MAX_BYTES - room);
    const kept = fitting(found, 0, room);
    return [head + found.slice(0, kept).join(SEPARATOR) + foot({ truncated: most - kept })];
  }
  const room = MAX_BYTES - head.length - foot({ part: { index: most, count: most } }).length;
  const longest = found.reduce((length, text) => Math.max(length, text.length), 0);
  if (most === 0 || longest > room) throw tooLong(record, MAX_BYTES - room + longest);
  const parts: string[] = [];
  for (let at = 0; at < most;) {
    const end = fitting(found, at, room);
    parts.push(found.slice(at, end).join(SEPARATOR));
    at = end;
  }
  return parts.map((text, index) => head + text + foot({ part: { index, count: parts.length } }));
}

/** Behind the last of `texts` that fits, from `start` on. */
function fitting(texts: readonly string[], start: number, room: number): number {
  let end = start;
  let length = -SEPARATOR.length;
  for (; end < texts.length; end++) {
    length += SEPARATOR.length + (texts[end] as string).length;
    if (length > room) break;
  }
  return end;
}

function tooLong({ result }: ResultRecord, bytes: number): MillraceError {
  return new MillraceError(
    'SINK_FAILED',
    `sink udp: frame ${result.frame_id} needs ${bytes} bytes in one datagram, ${MAX_BYTES} are possible; send its outputs through another sink`,
  );
}
