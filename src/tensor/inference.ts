import type { Parameters } from './parameters.ts';
import type { SharedBytes } from './shared-bytes.ts';
import type { Tensor } from './tensor.ts';

export interface RequestedOutput {
  readonly name: string;
  readonly parameters?: Parameters | undefined;
  /** Where its bytes go, in the place of the response. */
  readonly shared?: SharedBytes | undefined;
  /** Its so many largest elements as texts, in its place (Triton's `classification`); at least 1. */
  readonly classes?: number | undefined;
}

/** Of the transport: HTTP headers or gRPC metadata, names in lower case. */
export type Headers = Readonly<Record<string, string>>;

/** One ModelInferRequest or REST infer body, transport taken off; every input in raw form. */
export interface InferenceRequest {
  readonly servable: string;
  /** "" asks for the servable's default version. */
  readonly version: string;
  readonly id: string;
  readonly parameters?: Parameters | undefined;
  readonly inputs: readonly Tensor[];
  /** Empty: all outputs. */
  readonly outputs: readonly RequestedOutput[];
  /** Only for runtimes; in a stream only of its first request. */
  readonly headers?: Headers | undefined;
  /**
   * No inference but a call of a route of a runtime's own, `METHOD /path?query`, in a session of its own: its one input is the
   * body. The one output of each response is a piece of the answer; the first has the parameter `status`, and `more` where
   * it may not be the only one. No protocol's inference request has it.
   */
  readonly route?: string | undefined;
}

export interface InferenceResponse {
  readonly servable: string;
  readonly version: string;
  readonly id: string;
  readonly parameters?: Parameters | undefined;
  readonly outputs: readonly Tensor[];
  /** For the transport: HTTP headers of the answer, or trailing metadata. */
  readonly headers?: Headers | undefined;
}
