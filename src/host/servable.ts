import type { Cancellation } from '../base/cancellation.ts';
import type { ServableDescription } from '../ipc/description.ts';
import type { HostSession, SessionOutput } from '../ipc/host-handler.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';

/** A graph, model or runtime that is loaded in this process. */
export interface HostServable {
  readonly description: ServableDescription;
  /** Once `infer` has answered nobody looks at the request's inputs, but for outputs that share their memory. @default false */
  readonly forgetsInputs?: boolean;
  /** @param waitedMs how long the request was under way to this process @default 0 */
  infer(request: InferenceRequest, cancellation: Cancellation, waitedMs?: number): Promise<InferenceResponse>;
  /** @throws MillraceError when the session cannot start */
  open(first: InferenceRequest, output: SessionOutput): HostSession;
  /** Called when nothing uses it any more. */
  close(): Promise<void>;
}
