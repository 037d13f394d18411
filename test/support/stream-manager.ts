import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

export interface ManagerAnswer {
  readonly request_id: string;
  readonly response: Readonly<Record<string, unknown>> & { readonly status: string };
  readonly pipeline_id: unknown;
  /** Of the answer, as it came. */
  readonly text: string;
}

/** A frame of the stream manager's protocol. */
export function frame(body: string | Buffer): Buffer {
  const bytes = Buffer.from(body as string);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(bytes.length);
  return Buffer.concat([header, bytes]);
}

/** One connection to a stream manager, written to by hand. */
export class ManagerConnection {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #closed: Promise<unknown>;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#closed = once(socket, 'close');
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
  }

  static async open(port: number): Promise<ManagerConnection> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return new ManagerConnection(socket);
  }

  send(bytes: Buffer): this {
    this.socket.write(bytes);
    return this;
  }

  /** The one answer, when the server has closed the connection. */
  async answer(): Promise<ManagerAnswer> {
    await this.#closed;
    const bytes = Buffer.concat(this.#chunks);
    if (bytes.length < 4 || bytes.readUInt32BE(0) !== bytes.length - 4) {
      throw new Error(`one frame expected, came ${bytes.length} bytes: ${bytes.toString('latin1').slice(0, 200)}`);
    }
    const text = bytes.subarray(4).toString('utf8');
    return { ...(JSON.parse(text) as Omit<ManagerAnswer, 'text'>), text };
  }
}

/** One command, as a well-behaved client sends it. */
export async function command(port: number, payload: unknown): Promise<ManagerAnswer> {
  const connection = await ManagerConnection.open(port);
  return connection.send(frame(JSON.stringify(payload))).answer();
}
