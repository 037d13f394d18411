import type { Cancellation } from '../base/cancellation.ts';
import type { HostSession, SessionOutput } from '../ipc/host-handler.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { TensorSpec } from '../tensor/tensor.ts';

/** What the front is told of a loaded servable. */
export interface Description {
  /** KServe `platform`. */
  readonly platform: string;
  readonly decoupled: boolean;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider?: string;
  readonly warnings?: readonly string[];
}

/** A graph, model or runtime that is loaded in this process. */
export interface HostServable {
  readonly description: Description;
  infer(request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse>;
  /** @throws MillraceError when the session cannot start */
  open(first: InferenceRequest, output: SessionOutput): HostSession;
  /** Called when nothing uses it any more. */
  close(): Promise<void>;
}
