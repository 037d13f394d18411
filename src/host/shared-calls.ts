import type { BufferPool } from '../base/buffer-pool.ts';
import type { SharedFiles } from '../shared-memory/shared-file.ts';
import { readSharedInputs, writeSharedOutputs } from '../shared-memory/shared-tensors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';

/** An input of fewer bytes has memory of its own: there is nothing to be gained. */
const MIN_POOLED_BYTES = 64 * 1024;

/** Calls whose tensors may be in shared memory, and whose inputs' memory is used again. */
export class SharedCalls {
  readonly #pool: BufferPool;
  readonly #files: SharedFiles;

  /** @param pool where the memory of inputs comes from, of those too that came with the request */
  constructor(pool: BufferPool, files: SharedFiles) {
    this.#pool = pool;
    this.#files = files;
  }

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
    const whole = readSharedInputs(request, this.#files, take);
    const response = writeSharedOutputs(request, await infer(whole), this.#files);
    if (forgets) this.#giveBack(whole, response);
    return response;
  }

  /** But for what the response shares with the request. */
  #giveBack({ inputs }: InferenceRequest, { outputs }: InferenceResponse): void {
    for (const { data } of inputs) {
      if (!outputs.some((output) => output.data.buffer === data.buffer)) this.#pool.give(data);
    }
  }
}
