import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface RtspRelayOptions {
  /** 0: a free one, kept over `stop` and `start`. */
  readonly port?: number;
  /** Who may publish and play, and how they must say so. */
  readonly auth?: { readonly user: string; readonly password: string; readonly scheme: 'basic' | 'digest' };
}

interface Channel {
  readonly sdp: string;
  readonly publisher: Connection;
  readonly readers: Set<Connection>;
  /** RECORD has come. */
  isLive: boolean;
}

interface Connection {
  readonly socket: Socket;
  readonly session: string;
  /** The interleaved channel of each track's RTP; its RTCP has the next. */
  readonly tracks: Map<number, number>;
  role: 'publisher' | 'reader' | undefined;
  path: string;
  isPlaying: boolean;
}

interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Reply = (code: number, text: string, headers?: Readonly<Record<string, string>>, body?: string) => void;

/** Of a reader that does not read: what it may have unread before its packets are left out. */
const READER_BYTES = 8 << 20;
const REALM = 'millrace-test';

/**
 * An RTSP server for tests (RFC 2326, over TCP, interleaved): what a client publishes under a path goes to all that play
 * it. It can fail in the ways that real ones do.
 */
export class RtspRelay implements AsyncDisposable {
  readonly #options: RtspRelayOptions;
  readonly #channels = new Map<string, Channel>();
  readonly #sockets = new Set<Socket>();
  readonly #nonce = randomBytes(8).toString('hex');
  #server: Server | undefined;
  #port: number;
  /** Takes packets and passes none on, as a camera that froze. */
  isStalled = false;
  /** Leaves out one packet in so many; 0: none. */
  dropEvery = 0;
  /** Flips a byte in the middle of one packet in so many; 0: none. */
  damageEvery = 0;
  packetsIn = 0;
  packetsOut = 0;

  private constructor(options: RtspRelayOptions) {
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  static async start(options: RtspRelayOptions = {}): Promise<RtspRelay> {
    const relay = new RtspRelay(options);
    await relay.start();
    return relay;
  }

  get port(): number {
    return this.#port;
  }

  /** With the user's name and password, where there are any. */
  url(path: string): string {
    const { auth } = this.#options;
    return `rtsp://${auth === undefined ? '' : `${auth.user}:${auth.password}@`}127.0.0.1:${this.#port}/${path}`;
  }

  isPublished(path: string): boolean {
    return this.#channels.get(`/${path}`)?.isLive === true;
  }

  readers(path: string): number {
    return this.#channels.get(`/${path}`)?.readers.size ?? 0;
  }

  async start(): Promise<void> {
    this.#server = createServer((socket) => this.#accept(socket)).listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** As a server that is killed: all connections end, and none can be made. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    this.resetAll();
    await closed;
    this.#channels.clear();
  }

  /** Resets every connection. */
  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #accept(socket: Socket): void {
    const session = randomBytes(6).toString('hex');
    const connection: Connection = { socket, session, tracks: new Map(), role: undefined, path: '', isPlaying: false };
    let bytes: Buffer = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {}); // its close follows
    socket.on('close', () => this.#leave(connection));
    socket.on('data', (chunk) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      for (let taken = -1; taken !== 0; bytes = bytes.subarray(taken)) taken = this.#element(connection, bytes);
    });
  }

  #leave(connection: Connection): void {
    this.#sockets.delete(connection.socket);
    const channel = this.#channels.get(connection.path);
    channel?.readers.delete(connection);
    if (channel?.publisher !== connection) return;
    this.#channels.delete(connection.path);
    for (const reader of channel.readers) reader.socket.destroy();
  }

  /** One interleaved packet or one request. @returns bytes used; 0 where more are needed */
  #element(connection: Connection, bytes: Buffer): number {
    if (bytes.length < 4) return 0;
    if (bytes[0] === 0x24) {
      const size = 4 + bytes.readUInt16BE(2);
      if (bytes.length < size) return 0;
      this.#pass(connection, bytes.subarray(0, size));
      return size;
    }
    const headEnd = bytes.indexOf('\r\n\r\n');
    if (headEnd < 0) return 0;
    const [first = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => headerOf(line)));
    const end = headEnd + 4 + Number(headers['content-length'] ?? 0);
    if (bytes.length < end) return 0;
    const [method = '', url = ''] = first.split(' ');
    this.#answer(connection, { method, url, headers, body: bytes.subarray(headEnd + 4, end).toString() });
    return end;
  }

  #pass(connection: Connection, packet: Buffer): void {
    const channel = this.#channels.get(connection.path);
    if (channel?.publisher !== connection) return;
    this.packetsIn++;
    if (this.isStalled || (this.dropEvery > 0 && this.packetsIn % this.dropEvery === 0)) return;
    const [track, isControl] = [(packet[1] as number) >> 1, (packet[1] as number) & 1];
    for (const reader of channel.readers) {
      const to = reader.tracks.get(track);
      if (!reader.isPlaying || to === undefined || reader.socket.writableLength > READER_BYTES) continue;
      const copy = Buffer.from(packet);
      copy[1] = to + isControl;
      const middle = copy.length >> 1;
      if (this.damageEvery > 0 && this.packetsIn % this.damageEvery === 0)
        copy[middle] = ~(copy[middle] as number) & 255;
      reader.socket.write(copy);
      this.packetsOut++;
    }
  }

  #answer(connection: Connection, request: Request): void {
    const { method, url, headers, body } = request;
    const reply: Reply = (code, text, more = {}, content = '') => {
      const all = { CSeq: headers['cseq'] ?? '0', ...more, 'Content-Length': String(Buffer.byteLength(content)) };
      const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
      connection.socket.write(`RTSP/1.0 ${code} ${text}\r\n${lines.join('')}\r\n${content}`);
    };
    const path = pathOf(url);
    if (method !== 'OPTIONS' && !this.#isAllowed(request)) {
      reply(401, 'Unauthorized', { 'WWW-Authenticate': this.#challenge() });
      return;
    }
    switch (method) {
      case 'OPTIONS':
        return reply(200, 'OK', {
          Public: 'OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, RECORD, TEARDOWN, GET_PARAMETER',
        });
      case 'ANNOUNCE':
        return this.#announce(connection, path, body, reply);
      case 'DESCRIBE': {
        const channel = this.#channels.get(path);
        if (channel?.isLive !== true) return reply(404, 'Not Found');
        const base = url.endsWith('/') ? url : `${url}/`;
        return reply(200, 'OK', { 'Content-Type': 'application/sdp', 'Content-Base': base }, channel.sdp);
      }
      case 'SETUP':
        return setUp(connection, path, headers['transport'] ?? '', trackOf(url), reply);
      case 'RECORD':
      case 'PLAY':
        return this.#begin(connection, method, reply);
      case 'GET_PARAMETER':
        return reply(200, 'OK', { Session: connection.session });
      case 'TEARDOWN':
        reply(200, 'OK', { Session: connection.session });
        connection.socket.end();
        return;
      default:
        return reply(405, 'Method Not Allowed');
    }
  }

  #announce(connection: Connection, path: string, sdp: string, reply: Reply): void {
    if (this.#channels.has(path)) return reply(400, 'Path in use');
    connection.role = 'publisher';
    connection.path = path;
    this.#channels.set(path, { sdp, publisher: connection, readers: new Set(), isLive: false });
    reply(200, 'OK');
  }

  #begin(connection: Connection, method: 'RECORD' | 'PLAY', reply: Reply): void {
    const channel = this.#channels.get(connection.path);
    if (channel === undefined) return reply(454, 'Session Not Found');
    reply(200, 'OK', { Session: connection.session });
    if (method === 'RECORD') channel.isLive = true;
    else {
      connection.isPlaying = true;
      channel.readers.add(connection);
    }
  }

  #challenge(): string {
    if (this.#options.auth?.scheme === 'basic') return `Basic realm="${REALM}"`;
    return `Digest realm="${REALM}", nonce="${this.#nonce}"`;
  }

  /** Basic, or Digest without qop (RFC 2617). */
  #isAllowed({ method, headers }: Request): boolean {
    const { auth } = this.#options;
    if (auth === undefined) return true;
    const given = headers['authorization'] ?? '';
    if (auth.scheme === 'basic') {
      return given === `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}`;
    }
    const uri = /uri="([^"]*)"/.exec(given)?.[1] ?? '';
    const response = /response="([^"]*)"/.exec(given)?.[1];
    const secret = md5(`${auth.user}:${REALM}:${auth.password}`);
    return response === md5(`${secret}:${this.#nonce}:${md5(`${method}:${uri}`)}`);
  }
}

function setUp(connection: Connection, path: string, transport: string, track: number, reply: Reply): void {
  if (!/TCP/i.test(transport)) return reply(461, 'Unsupported Transport');
  const channel = Number(/interleaved=(\d+)/.exec(transport)?.[1] ?? track * 2);
  connection.tracks.set(track, channel);
  if (connection.role === undefined) {
    connection.role = 'reader';
    connection.path = path;
  }
  const Transport = `RTP/AVP/TCP;unicast;interleaved=${channel}-${channel + 1}`;
  reply(200, 'OK', { Transport, Session: connection.session });
}

function headerOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}

/** Without the track behind it. */
function pathOf(url: string): string {
  if (!URL.canParse(url)) return '/';
  return new URL(url).pathname.replace(/\/$/, '').replace(/\/(?:trackID|streamid)=\d+$/i, '');
}

function trackOf(url: string): number {
  return Number(/(?:trackID|streamid)=(\d+)\/?$/i.exec(url)?.[1] ?? 0);
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
