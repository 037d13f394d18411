import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { BatchingSpec } from '../servable-spec.ts';
import { batchKey, cutResponse, joinRequests } from './joined-request.ts';

export interface BatcherParts {
  readonly batching: BatchingSpec;
  run(request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse>;
  /** A request joined the queue, which has so many now. */
  onQueued(length: number): void;
}

interface Member {
  readonly request: InferenceRequest;
  resolve(response: InferenceResponse): void;
  reject(error: unknown): void;
  isGone: boolean;
  /** Told when it leaves a batch that runs. */
  onGone: (() => void) | undefined;
}

/** Requests that fit together and wait for others. */
interface Batch {
  readonly members: Member[];
  readonly timer: NodeJS.Timeout;
}

/**
 * Unary requests that come at about the same time run as one (MLServer's adaptive batching, sheet §11). The first one waits
 * `maxTimeMs` for others; `maxSize` requests run at once. Requests that do not fit together wait apart. Who waits is bounded
 * by the requests that the server takes.
 */
export class Batcher {
  readonly #parts: BatcherParts;
  readonly #open = new Map<string, Batch>();
  #queued = 0;

  constructor(parts: BatcherParts) {
    this.#parts = parts;
  }

  infer(request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    const key = batchKey(request);
    if (cancellation.error !== undefined) return Promise.reject(cancellation.error);
    if (key === undefined) return this.#parts.run(request, cancellation);
    return new Promise((resolve, reject) => {
      const forget = cancellation.onCancel((error) => {
        member.isGone = true;
        reject(error);
        member.onGone?.();
        this.#drop(key, member);
      });
      const member: Member = {
        request,
        isGone: false,
        onGone: undefined,
        resolve: (response) => {
          forget();
          resolve(response);
        },
        reject: (error) => {
          forget();
          reject(error as Error);
        },
      };
      this.#join(key, member);
    });
  }

  #join(key: string, member: Member): void {
    const { maxSize, maxTimeMs } = this.#parts.batching;
    let batch = this.#open.get(key);
    if (batch === undefined) {
      batch = { members: [], timer: setTimeout(() => this.#run(key), maxTimeMs) };
      this.#open.set(key, batch);
    }
    batch.members.push(member);
    this.#parts.onQueued(++this.#queued);
    if (batch.members.length >= maxSize) this.#run(key);
  }

  /** Its client has left. In a batch that runs, the others still wait. */
  #drop(key: string, member: Member): void {
    const batch = this.#open.get(key);
    const at = batch?.members.indexOf(member) ?? -1;
    if (batch === undefined || at < 0) return;
    batch.members.splice(at, 1);
    this.#queued--;
    if (batch.members.length > 0) return;
    clearTimeout(batch.timer);
    this.#open.delete(key);
  }

  #run(key: string): void {
    const batch = this.#open.get(key);
    if (batch === undefined) return;
    clearTimeout(batch.timer);
    this.#open.delete(key);
    const { members } = batch;
    this.#queued -= members.length;
    void this.#answer(members);
  }

  async #answer(members: readonly Member[]): Promise<void> {
    const requests = members.map(({ request }) => request) as [InferenceRequest, ...InferenceRequest[]];
    const cancellation = new Cancellation();
    for (const member of members) {
      member.onGone = () => {
        if (members.every(({ isGone }) => isGone)) cancellation.cancel(everybodyLeft());
      };
    }
    try {
      const isAlone = requests.length === 1;
      const response = await this.#parts.run(isAlone ? requests[0] : joinRequests(requests), cancellation);
      const responses = isAlone ? [response] : cutResponse(response, requests);
      for (const [at, member] of members.entries()) member.resolve(responses[at] as InferenceResponse);
    } catch (error) {
      for (const member of members) member.reject(error);
    }
  }
}

const everybodyLeft = (): MillraceError =>
  new MillraceError('CANCELLED', 'the clients of all requests of the batch have left');
