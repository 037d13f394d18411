import { MillraceError } from '../../base/errors.ts';
import type { DataPlane } from '../../serving/data-plane.ts';
import { encodeStreamError, type InferEnvelope } from '../wire/infer-codec.ts';
import type { Conversation } from './conversation.ts';
import { graphAmongModels } from './graph-among-models.ts';
import { ModelStream } from './model-stream.ts';
import { PartCall, SharedCall } from './part-call.ts';
import { SessionStream } from './session-stream.ts';
import { FRAME_BYTES, type StreamCall, type Trailers } from './transport.ts';

/** What is answered one by one, in the order of the requests; no runtime can have this name. */
const MODELS = '';

/**
 * A stream by Triton's rules, whose requests may name any model or runtime (KServe sheet §2.3): inferences are answered in
 * order among themselves; each runtime that streams has a session of its own, whose responses come when they are ready.
 */
export class MixedStream implements Conversation {
  readonly #shared: SharedCall;
  /** For what belongs to no part. */
  readonly #own: PartCall;
  readonly #dataPlane: DataPlane;
  readonly #parts = new Map<string, Conversation>();
  #opened = 0;
  #isHalfClosed = false;
  /** Where the last request went, by servable. */
  #last: { readonly servable: string; readonly part: Conversation } | undefined;

  /** `first` itself is handed over by `onRequest`. @throws MillraceError what keeps its part from opening */
  constructor(call: StreamCall, dataPlane: DataPlane, first: InferEnvelope) {
    this.#shared = new SharedCall(call);
    this.#own = new PartCall(this.#shared, () => {});
    this.#dataPlane = dataPlane;
    this.#part(first);
  }

  onRequest(envelope: InferEnvelope, messageBytes: number): void {
    let part: Conversation;
    try {
      part = this.#last?.servable === envelope.servable ? this.#last.part : this.#part(envelope);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      const refusal = encodeStreamError(envelope.id, error.message, FRAME_BYTES);
      if (!this.#own.write(refusal)) this.#own.pause();
      return;
    }
    part.onRequest(envelope, messageBytes);
  }

  onHalfClose(): void {
    this.#isHalfClosed = true;
    for (const part of [...this.#parts.values()]) part.onHalfClose();
    this.#endIfDone();
  }

  onDrain(): void {
    this.#own.resume();
    for (const part of [...this.#parts.values()]) part.onDrain();
  }

  /** Of the stream's only session, where there is one. */
  trailers(): Trailers {
    return this.#opened === 1 ? (this.#last?.part.trailers?.() ?? {}) : {};
  }

  /** Where a request belongs. @throws MillraceError */
  #part(envelope: InferEnvelope): Conversation {
    const { servable } = envelope;
    const key = this.#keyOf(envelope);
    const part = this.#parts.get(key) ?? this.#open(key, envelope);
    this.#last = { servable, part };
    return part;
  }

  /** What can only be refused is refused in its turn, where there are inferences before it. */
  #keyOf({ servable, version }: InferEnvelope): string {
    if (this.#parts.has(servable)) return servable;
    try {
      const { kind, answersEach, decoupled } = this.#dataPlane.metadata(servable, version);
      if (decoupled || (kind === 'runtime' && answersEach !== true)) return servable;
      if (kind === 'graph' && !this.#parts.has(MODELS)) throw graphAmongModels(servable);
    } catch (error) {
      if (!this.#parts.has(MODELS)) throw error;
    }
    return MODELS;
  }

  #open(key: string, first: InferEnvelope): Conversation {
    const call = new PartCall(this.#shared, () => this.#ended(key));
    const part =
      key === MODELS ? new ModelStream(call, this.#dataPlane, first) : new SessionStream(call, this.#dataPlane, first);
    this.#parts.set(key, part);
    this.#opened++;
    return part;
  }

  /** A runtime may end its session before the client has; with it goes the call, unless that has other parts. */
  #ended(key: string): void {
    const part = this.#parts.get(key);
    this.#parts.delete(key);
    if (this.#opened > 1 && this.#last?.part === part) this.#last = undefined;
    if (this.#opened === 1) this.#shared.call.end();
    else this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#isHalfClosed && this.#parts.size === 0) this.#shared.call.end();
  }
}
