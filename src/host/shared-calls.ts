import { BufferPool } from '../base/buffer-pool.ts';
import { readSharedInputs, writeSharedOutputs } from '../shared-memory/shared-tensors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';

/** Memory that is kept for the inputs of later requests. */
const MAX_POOLED_BYTES = 64 * 2 ** 20;
/** An input of fewer bytes has memory of its own: there is nothing to be gained. */
const MIN_POOLED_BYTES = 64 * 1024;

/** Calls whose tensors may be in shared memory. */
export class SharedCalls {
  readonly #pool = new BufferPool(MAX_POOLED_BYTES);

  /**
   * Reads the inputs, runs `infer`, writes the outputs.
   * @param forgets whoever infers looks at no input once it has answered, which users' code might: then their memory is used
   * again. Fresh memory would cost ten times the copying.
   */
  async run(
    request: InferenceRequest,
    forgets: boolean,
    infer: (request: InferenceRequest) => Promise<InferenceResponse>,
  ): Promise<InferenceResponse> {
    const take = (bytes: number): Buffer =>
      forgets && bytes >= MIN_POOLED_BYTES ? this.#pool.take(bytes) : Buffer.allocUnsafeSlow(bytes);
    const whole = readSharedInputs(request, take);
    const response = writeSharedOutputs(request, await infer(whole));
    if (whole !== request) {
      const kept = new Set(response.outputs.map(({ data }) => data.buffer));
      for (const { data } of whole.inputs) if (!kept.has(data.buffer)) this.#pool.give(data);
    }
    return response;
  }
}
