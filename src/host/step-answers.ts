import { MillraceError } from '../base/errors.ts';
import type { SessionPort, SessionSink } from '../ipc/session.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * The responses to one request in a session of its own, which is paused while nobody asks for the next one.
 * @param signal ends it
 * @throws MillraceError after the responses that came before it: what the session was refused or ended with
 */
export async function* answersOf(
  request: InferenceRequest,
  open: (sink: SessionSink) => SessionPort,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Tensor[]> {
  const came: (readonly Tensor[])[] = [];
  let fault: MillraceError | undefined;
  let hasEnded = false;
  let wake = (): void => {};
  const port = open({
    onResponse: ({ outputs }) => {
      came.push(outputs);
      port.pause();
      wake();
    },
    onRequestError: (_id, error) => {
      fault ??= error;
      wake();
    },
    onEnd: (error) => {
      fault ??= error;
      hasEnded = true;
      wake();
    },
    onDrain: () => {},
  });
  const abort = (): void => port.abort(new MillraceError('CANCELLED', 'nobody waits for the step any more'));
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  try {
    port.push(request);
    port.halfClose();
    for (;;) {
      const next = came.shift();
      if (next !== undefined) yield next;
      else if (fault !== undefined) throw fault;
      else if (hasEnded) return;
      else {
        const news = new Promise<void>((resolve) => (wake = resolve));
        port.resume();
        await news;
      }
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    if (!hasEnded) abort();
  }
}
