import type { InferenceRequest } from '../tensor/inference.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** For tests of this folder: a request of these inputs. */
export function requestOf(inputs: readonly Tensor[], contentType?: string | null): InferenceRequest {
  const parameters = contentType == null ? undefined : { content_type: contentType };
  return { servable: 'm', version: '', id: '', parameters, inputs, outputs: [] };
}
