import type { InferEnvelope } from '../wire/infer-codec.ts';
import type { Trailers } from './transport.ts';

/** What a ModelStreamInfer call becomes once its first request has named a servable. */
export interface Conversation {
  /** @param messageBytes size of the request on the wire */
  onRequest(envelope: InferEnvelope, messageBytes: number): void;
  onHalfClose(): void;
  onDrain(): void;
  /** What it was, at its end. */
  trailers?(): Trailers;
}
