import type { ServerResponse } from 'node:http';
import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';

export function clientGone(): MillraceError {
  return new MillraceError('CANCELLED', 'the client closed the connection');
}

/** A cancellation that fires when the connection closes before the reply was written. */
export function cancelOnDisconnect(reply: ServerResponse): Cancellation {
  const cancellation = new Cancellation();
  if (reply.destroyed || reply.socket?.destroyed === true) {
    cancellation.cancel(clientGone());
  } else {
    reply.on('close', () => {
      if (!reply.writableEnded) cancellation.cancel(clientGone());
    });
  }
  return cancellation;
}
