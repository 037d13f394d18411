import { createHash } from 'node:crypto';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';

/** Of all responses that are remembered. */
const MAX_BYTES = 64 * 2 ** 20;
/** What a response takes beside its data, generously. */
const ENTRY_BYTES = 1024;

/** How full a cache is, and what it was good for. */
export interface CacheUse {
  /** Of its bytes, 0 to 1. */
  readonly utilization: number;
  readonly entries: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
}

/**
 * Responses to equal unary requests; the oldest gives way (MLServer sheet §11). Requests are equal where all but the id is,
 * headers too, since a runtime may answer by them.
 */
export class ResponseCache {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #responses = new Map<string, InferenceResponse>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  /** @param maxBytes of tensor data and 1 KiB for each response, all together */
  constructor(maxEntries: number, maxBytes = MAX_BYTES) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  /** Undefined: it never holds any. */
  get use(): CacheUse | undefined {
    if (this.#maxEntries === 0) return undefined;
    const [hits, misses, evictions] = [this.#hits, this.#misses, this.#evictions];
    return { utilization: this.#bytes / this.#maxBytes, entries: this.#responses.size, hits, misses, evictions };
  }

  /**
   * The response to an equal request before, with this one's id; else that of `answer`, which is remembered.
   * @param generation of what answers: another one has other answers
   * @param onLookup told how long it took to find a response, or to make and remember one
   */
  async recall(
    generation: number,
    request: InferenceRequest,
    answer: () => Promise<InferenceResponse>,
    onLookup: (isHit: boolean, ns: number) => void = () => {},
  ): Promise<InferenceResponse> {
    const startedAt = performance.now();
    // Before `answer`, which gives the memory of the request back.
    const key = keyOf(generation, request);
    const known = this.#responses.get(key);
    const lookedAt = performance.now();
    if (known !== undefined) {
      this.#hits++;
      onLookup(true, Math.round((lookedAt - startedAt) * 1e6));
      return { ...known, id: request.id };
    }
    this.#misses++;
    const response = await answer();
    const answeredAt = performance.now();
    this.#remember(key, response);
    onLookup(false, Math.round((lookedAt - startedAt + performance.now() - answeredAt) * 1e6));
    return response;
  }

  #remember(key: string, response: InferenceResponse): void {
    const bytes = bytesOf(response);
    if (this.#responses.has(key) || bytes > this.#maxBytes) return;
    // Its memory goes back to where it came from when it has been sent.
    const outputs = response.outputs.map((output) => ({ ...output, data: Uint8Array.from(output.data) }));
    this.#responses.set(key, { ...response, outputs });
    this.#bytes += bytes;
    for (const [oldest, { outputs: old }] of this.#responses) {
      if (this.#responses.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.#responses.delete(oldest);
      this.#evictions++;
      this.#bytes -= bytesOf({ outputs: old });
    }
  }
}

function keyOf(generation: number, { inputs, outputs, parameters, headers }: InferenceRequest): string {
  const described = inputs.map(({ data, ...rest }) => ({ ...rest, bytes: data.byteLength }));
  const text = JSON.stringify([generation, described, outputs, parameters, headers], (_, value: unknown) =>
    typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))
      ? [typeof value, String(value)] // no parameter is an array
      : value,
  );
  const hash = createHash('sha256').update(text);
  for (const { data } of inputs) hash.update(data);
  return hash.digest('hex');
}

function bytesOf({ outputs }: Pick<InferenceResponse, 'outputs'>): number {
  return outputs.reduce((sum, { data }) => sum + data.byteLength, ENTRY_BYTES);
}
