import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { failed, type Envelope, type OwnerOf, type RoboflowCommands } from '../../pipelines/roboflow/commands.ts';
import { RoboflowFailure } from '../../pipelines/roboflow/failure.ts';
import { pythonJson } from '../../pipelines/roboflow/python-text.ts';
import { MessageReader, parseMessage } from './message-reader.ts';

export interface ConnectionOptions {
  readonly maxMessageBytes: number;
  /** For the whole request, from the connection on. */
  readonly timeoutMs: number;
  readonly ownerOf: (apiKey: string | undefined, address: string) => ReturnType<OwnerOf>;
}

/** Time for the rest of a header that came in pieces; then it is taken for a short one. */
const HEADER_MS = 250;
/** Time for a client to take its answer. */
const ANSWER_MS = 5_000;
/** Time for it to close after that. */
const LINGER_MS = 1_000;

/** One request and its answer, as the protocol has it (sheet §2). Nothing that a client does keeps another one waiting. */
export function serveConnection(socket: Socket, commands: RoboflowCommands, options: ConnectionOptions): void {
  const { maxMessageBytes, timeoutMs, ownerOf } = options;
  const reader = new MessageReader(maxMessageBytes);
  let isDone = false;
  const timer = setTimeout(() => refuse(timedOut()), timeoutMs);
  let headerTimer: NodeJS.Timeout | undefined;

  const stopReading = (): boolean => {
    if (isDone) return false;
    isDone = true;
    clearTimeout(timer);
    clearTimeout(headerTimer);
    return true;
  };
  const refuse = (error: unknown): void => {
    if (stopReading()) answer(socket, failed(randomUUID(), error));
  };
  const serve = async (body: Buffer): Promise<void> => {
    let payload: unknown;
    try {
      payload = parseMessage(body);
    } catch (error) {
      return refuse(error);
    }
    if (!stopReading()) return;
    const address = socket.remoteAddress ?? '';
    answer(socket, await commands.handle(payload, (apiKey) => ownerOf(apiKey, address)));
  };

  socket.on('error', () => stopReading());
  socket.on('close', () => stopReading());
  socket.on('end', () => refuse(reader.cutOff()));
  socket.on('data', (chunk) => {
    if (isDone) return;
    try {
      const reading = reader.push(chunk);
      clearTimeout(headerTimer);
      if (reading.state === 'header') headerTimer = setTimeout(() => refuse(reader.shortHeader()), HEADER_MS);
      // What was sent with it has come by the end of this turn, and makes it malformed.
      if (reading.state === 'whole') setImmediate(() => void serve(reading.body));
    } catch (error) {
      refuse(error);
    }
  });
}

/** The answer in one piece; then the connection is closed. */
function answer(socket: Socket, envelope: Envelope): void {
  if (!socket.writable) return void socket.destroy();
  const body = Buffer.from(pythonJson(envelope, true), 'latin1');
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  let timer = setTimeout(() => socket.destroy(), ANSWER_MS);
  socket.once('close', () => clearTimeout(timer));
  // What the client still sends is read: a connection that is closed with something unread is reset, and the answer lost.
  socket.on('data', () => {});
  socket.once('end', () => socket.destroySoon());
  socket.end(Buffer.concat([header, body]), () => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), LINGER_MS);
    if (socket.readableEnded) socket.destroy();
  });
}

function timedOut(): RoboflowFailure {
  return new RoboflowFailure('internal_error', { errorClass: 'TimeoutError', errorMessage: 'timed out' });
}
