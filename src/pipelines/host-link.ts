import { MillraceError } from '../base/errors.ts';
import type { SessionPort, SessionSink } from '../ipc/session.ts';
import { JsonParameter } from '../tensor/parameters.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import type { PipelineCommand, PipelineMessage } from './common/messages.ts';

/** Told of what comes from the host. */
export interface LinkEvents {
  /** All messages but replies. @param jpeg of a `frame` */
  onMessage(message: Exclude<PipelineMessage, { type: 'reply' }>, jpeg: Uint8Array | undefined): void;
  /** The last call. */
  onEnd(error: MillraceError | undefined): void;
}

interface Asked {
  resolve(answer: 'done' | 'already'): void;
  reject(error: MillraceError): void;
  readonly timer: NodeJS.Timeout;
}

/** One run of a pipeline in one host: commands go in, news come out. */
export class HostLink implements SessionSink {
  readonly #events: LinkEvents;
  #port: SessionPort | undefined;
  readonly #asked = new Map<string, Asked>();
  #nextId = 1;
  #hasEnded = false;

  /** @param open as `PipelineHosts.openPipeline`; throws what that throws */
  constructor(open: (sink: SessionSink) => SessionPort, events: LinkEvents) {
    this.#events = events;
    this.#port = open(this);
  }

  /** @throws MillraceError what the pipeline answers; DEADLINE_EXCEEDED where its host does not answer in time */
  ask(command: PipelineCommand, withinMs: number): Promise<'done' | 'already'> {
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) return reject(ended());
      const id = String(this.#nextId++);
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        reject(
          new MillraceError('DEADLINE_EXCEEDED', `the pipeline's host did not answer within ${withinMs / 1000} s`),
        );
      }, withinMs);
      this.#asked.set(id, { resolve, reject, timer });
      const parameters = { command: new JsonParameter(JSON.stringify(command)) };
      this.#port?.push({ servable: '', version: '', id, inputs: [], outputs: [], parameters });
    });
  }

  /** Ends it without waiting for its host. */
  abort(error: MillraceError): void {
    this.#port?.abort(error);
  }

  onResponse(response: InferenceResponse): void {
    const given = response.parameters?.['message'];
    if (!(given instanceof JsonParameter)) return;
    const message = JSON.parse(given.text) as PipelineMessage;
    if (message.type !== 'reply') return this.#events.onMessage(message, response.outputs[0]?.data);
    const asked = this.#asked.get(response.id);
    if (asked === undefined) return;
    this.#asked.delete(response.id);
    clearTimeout(asked.timer);
    const { error, answer = 'done' } = message;
    if (error === undefined) asked.resolve(answer);
    else asked.reject(new MillraceError(error.reason, error.message, { details: error.details }));
  }

  onRequestError(requestId: string, error: MillraceError): void {
    const asked = this.#asked.get(requestId);
    if (asked === undefined) return;
    this.#asked.delete(requestId);
    clearTimeout(asked.timer);
    asked.reject(error);
  }

  onEnd(error: MillraceError | undefined): void {
    this.#hasEnded = true;
    for (const asked of this.#asked.values()) {
      clearTimeout(asked.timer);
      asked.reject(error ?? ended());
    }
    this.#asked.clear();
    this.#events.onEnd(error);
  }

  onDrain(): void {}
}

function ended(): MillraceError {
  return new MillraceError('PIPELINE_STATE', 'the pipeline has ended', { details: { state: 'ENDED' } });
}
