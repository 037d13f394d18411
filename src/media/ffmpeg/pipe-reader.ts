import { Socket, type SocketConstructorOpts } from 'node:net';
import type { Readable } from 'node:stream';

/** Where the bytes go that a pipe brings. */
export interface PipeTarget {
  /** Memory for what comes next, at least one byte. */
  room(): Buffer;
  /** So many bytes came; they are where the memory that {@link room} gave last begins. */
  filled(bytes: number): void;
}

/**
 * Reads a child's output straight into the target's memory. Node gives each read 64 KiB of new memory instead, and collecting
 * that costs more than the reading where pictures come. Sockets can do without (`onread`), those of children cannot: so a
 * socket of our own takes the child's handle over. Where Node is built differently, bytes are copied.
 * @returns what is to be paused, resumed, destroyed and waited for in place of `stdout`
 */
export function readPipe(stdout: Readable, target: PipeTarget): Readable {
  const owner = stdout as Readable & { _handle?: { readonly useUserBuffer?: unknown } | null };
  const handle = owner._handle;
  if (typeof handle?.useUserBuffer !== 'function') {
    return stdout.on('data', (chunk: Buffer) => pour(chunk, target));
  }
  owner._handle = null;
  owner.destroy();
  const onread = {
    buffer: () => target.room(),
    callback: (bytes: number) => {
      target.filled(bytes);
      return true;
    },
  };
  const socket = new Socket({ handle, readable: true, writable: false, onread } as SocketConstructorOpts);
  return socket.on('error', () => {}).resume(); // the child's exit says why
}

/** Puts bytes into a target as if a pipe had brought them. */
export function pour(bytes: Buffer, target: PipeTarget): void {
  for (let at = 0; at < bytes.length;) {
    const copied = bytes.copy(target.room(), 0, at);
    target.filled(copied);
    at += copied;
  }
}
