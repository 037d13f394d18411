import type { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { SharedMemoryRegions } from '../shared-memory/regions.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { Batcher } from './batching/batcher.ts';
import { asksForClasses, classified, withoutClasses } from './classification.ts';
import type { Deployment } from './deployment.ts';
import type { Entry } from './repository.ts';
import type { ResponseCache } from './response-cache.ts';
import type { ServableSpec } from './servable-spec.ts';
import { inferShared } from './shared-inference.ts';
import type { Telemetry } from './telemetry.ts';

export interface UnaryAnswersParts {
  readonly cache: ResponseCache;
  readonly sharedMemory: SharedMemoryRegions;
  readonly telemetry: Telemetry;
  /** What to say where no host has the servable any more. */
  readonly unavailable: (entry: Entry) => MillraceError;
}

/** Where the answer to a unary request comes from: the cache or a batch, where the servable's entry wants that, else a host. */
export class UnaryAnswers {
  readonly #parts: UnaryAnswersParts;
  readonly #batchers = new WeakMap<Deployment, Batcher>();

  constructor(parts: UnaryAnswersParts) {
    this.#parts = parts;
  }

  /** @param onLookup told when the cache was asked */
  answer(
    entry: Entry,
    deployment: Deployment,
    request: InferenceRequest,
    cancellation: Cancellation,
    onLookup: (isHit: boolean, ns: number) => void,
  ): Promise<InferenceResponse> {
    if (asksForClasses(request)) {
      const plain = this.answer(entry, deployment, withoutClasses(request), cancellation, onLookup);
      return plain.then((response) => classified(request, response, deployment.spec.classes));
    }
    const { spec, loadId } = deployment;
    return inferShared(this.#parts.sharedMemory, request, looksAtData(spec), (placed) => {
      const batcher = this.#batcherOf(entry, deployment);
      const call = (): Promise<InferenceResponse> =>
        batcher?.infer(placed, cancellation) ?? this.#send(entry, deployment, placed, cancellation);
      return isRemembered(spec) ? this.#parts.cache.recall(loadId, placed, call, onLookup) : call();
    });
  }

  /** One call of a host, of a request or of a batch of them. */
  async #send(
    entry: Entry,
    deployment: Deployment,
    request: InferenceRequest,
    cancellation: Cancellation,
  ): Promise<InferenceResponse> {
    const host = deployment.pickForCall();
    if (host === undefined) throw this.#parts.unavailable(entry);
    const queued = host.unaryCount + 1;
    if (entry.kind === 'runtime') {
      const { mlserver } = this.#parts.telemetry.of(entry);
      mlserver.parallelQueue().observe(queued - 1);
    }
    const startedAt = performance.now();
    const response = await deployment.infer(host, request, cancellation);
    deployment.answered(performance.now() - startedAt, queued);
    return response;
  }

  #batcherOf(entry: Entry, deployment: Deployment): Batcher | undefined {
    if (deployment.spec.kind !== 'runtime' || deployment.spec.batching === undefined) return undefined;
    let batcher = this.#batchers.get(deployment);
    if (batcher === undefined) {
      const batchQueue = this.#parts.telemetry.of(entry).mlserver.batchQueue();
      batcher = new Batcher({
        batching: deployment.spec.batching,
        run: (request, cancellation) => this.#send(entry, deployment, request, cancellation),
        onQueued: (length) => batchQueue.observe(length),
      });
      this.#batchers.set(deployment, batcher);
    }
    return batcher;
  }
}

/** Requests are joined with others in the front, or remembered there. */
function looksAtData(spec: ServableSpec): boolean {
  return (spec.kind === 'runtime' && spec.batching !== undefined) || isRemembered(spec);
}

function isRemembered(spec: ServableSpec): boolean {
  return (spec.kind === 'runtime' || spec.kind === 'model') && spec.cachesResponses === true;
}
