import { MillraceError, type Reason } from '../base/errors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { sequenceStep, type SequenceStep } from '../tensor/sequence.ts';

/** What is needed of a host. */
export interface SequenceHost {
  readonly isLost: boolean;
}

/** Ids that are remembered at once; the hosts bound them more tightly. */
const MAX_PLACES = 65_536;

/** A request with more bytes may be overtaken on its way to the host by smaller ones behind it. */
const ORDERED_BYTES = 8192;

/** The request has run, so its sequence has begun. */
const RUN_FAILED: readonly Reason[] = ['MODEL_FAILED', 'RUNTIME_FAILED'];

/** How often it is looked for sequences that have gone silent, at most. */
const SWEEP_MS = 1000;

interface Place<Host> {
  readonly host: Host;
  /** Requests. */
  underWay: number;
  lastUsed: number;
  hasEnded: boolean;
  /** Requests that began it, or began it anew. */
  starts: number;
  /** The last large request; what comes behind it waits until it is answered. */
  large: Promise<unknown> | undefined;
}

export interface SequencePlacesOptions {
  /** As the hosts have it: an id is forgotten when it has been silent for so long; 0: never. */
  readonly maxIdleMs: number;
  /** The host knows its sequences, and refuses a request of none. Else any request with an id begins one. */
  readonly mustStart: boolean;
}

/**
 * In which host each sequence of one servable lives: all requests of a correlation id go to the host that got the first one.
 * Times are in ms, as of `performance.now()`.
 */
export class SequencePlaces<Host extends SequenceHost> {
  readonly #model: string;
  readonly #options: SequencePlacesOptions;
  readonly #onCount: (change: number) => void;
  readonly #places = new Map<bigint | string, Place<Host>>();
  /** How many of them are where. */
  readonly #perHost = new Map<Host, number>();
  #timer: NodeJS.Timeout | undefined;
  #isCleared = false;
  #count = 0;

  /** @param onCount the number of sequences that live has changed by so many */
  constructor(model: string, options: SequencePlacesOptions, onCount: (change: number) => void) {
    this.#model = model;
    this.#options = options;
    this.#onCount = onCount;
  }

  /** Sequences that live, as far as is known here. */
  get count(): number {
    return this.#count;
  }

  /**
   * Sends a request to where its sequence lives, or to one of `hosts` where it begins. One that belongs to no sequence goes to
   * any of them: the host says what is wrong with it.
   * @throws MillraceError INVALID_PARAMETER for a sequence whose host was lost, LIMIT_REACHED, and what `send` throws
   */
  async infer(
    request: InferenceRequest,
    hosts: readonly [Host, ...Host[]],
    send: (host: Host) => Promise<InferenceResponse>,
  ): Promise<InferenceResponse> {
    const step = sequenceStep(request.parameters);
    const { id } = step;
    const known = id === undefined ? undefined : this.#known(id, step);
    const begins = known === undefined && this.#mayBegin(step);
    if (id === undefined || this.#isCleared || (known === undefined && !begins)) return await send(hosts[0]);
    const place = known ?? this.#begin(id, hosts);
    if (step.isStart || step.isEnd) place.hasEnded = step.isEnd;
    if (step.isStart) place.starts++;
    const { starts } = place;
    place.underWay++;
    const answer = place.large === undefined ? send(place.host) : place.large.then(() => send(place.host));
    if (bytesOf(request) > ORDERED_BYTES) holdBack(place, answer);
    try {
      return await answer;
    } catch (error) {
      const { reason, details } = MillraceError.from(error);
      // Its host does not know it, or did not let it begin. After a run that failed it goes on.
      const isUnknown = details['sequence'] !== undefined || (known === undefined && !RUN_FAILED.includes(reason));
      if (isUnknown && place.starts === starts) place.hasEnded = true;
      throw error;
    } finally {
      place.underWay--;
      place.lastUsed = performance.now();
      if (place.underWay === 0 && place.hasEnded) this.#forget(id, place);
    }
  }

  /** Where the sequence of a request lives, if it does. */
  hostOf({ parameters }: InferenceRequest): Host | undefined {
    const { id } = sequenceStep(parameters);
    const place = id === undefined ? undefined : this.#places.get(id);
    return place?.host.isLost === false ? place.host : undefined;
  }

  /** The request goes on with a sequence that lives: it neither begins one nor comes after its end. */
  continues(request: InferenceRequest): boolean {
    const { id, isStart } = sequenceStep(request.parameters);
    const place = id === undefined || isStart ? undefined : this.#places.get(id);
    return place !== undefined && !place.host.isLost && !place.hasEnded;
  }

  /** A host was lost: its sequences live no more. They are remembered for as long as they might have been silent. */
  hostLost(): void {
    this.#recount();
  }

  /** Nothing lives here any more, and nothing begins. */
  clear(): void {
    this.#isCleared = true;
    clearTimeout(this.#timer);
    this.#places.clear();
    this.#perHost.clear();
    this.#recount();
  }

  #known(id: bigint | string, { isStart }: SequenceStep): Place<Host> | undefined {
    const place = this.#places.get(id);
    if (place === undefined || !place.host.isLost) return place;
    this.#forget(id, place);
    if (isStart) return undefined;
    throw new MillraceError(
      'INVALID_PARAMETER',
      `inference request for sequence ${id} to model '${this.#model}' must specify the START flag on the first request of the sequence: its host was lost, and its state with it`,
      { details: { model: this.#model, sequence: String(id) } },
    );
  }

  #mayBegin({ isStart }: SequenceStep): boolean {
    return this.#options.mustStart ? isStart : this.#places.size < MAX_PLACES;
  }

  #begin(id: bigint | string, hosts: readonly [Host, ...Host[]]): Place<Host> {
    if (this.#places.size >= MAX_PLACES) {
      const text = `model '${this.#model}' has ${MAX_PLACES} sequences under way, which is the limit`;
      throw new MillraceError('LIMIT_REACHED', text, { details: { servable: this.#model, expected: MAX_PLACES } });
    }
    const host = this.#emptiest(hosts);
    const place = { host, underWay: 0, lastUsed: 0, hasEnded: false, starts: 0, large: undefined };
    this.#places.set(id, place);
    this.#perHost.set(host, this.#countOf(host) + 1);
    this.#recount();
    this.#sweepLater();
    return place;
  }

  /** The host with the fewest sequences. */
  #emptiest(hosts: readonly [Host, ...Host[]]): Host {
    return hosts.reduce((best, host) => (this.#countOf(host) < this.#countOf(best) ? host : best));
  }

  #countOf(host: Host): number {
    return this.#perHost.get(host) ?? 0;
  }

  #forget(id: bigint | string, place: Place<Host>): void {
    if (this.#places.get(id) !== place) return;
    this.#places.delete(id);
    const left = this.#countOf(place.host) - 1;
    if (left > 0) this.#perHost.set(place.host, left);
    else this.#perHost.delete(place.host);
    this.#recount();
  }

  #recount(): void {
    let count = 0;
    for (const [host, here] of this.#perHost) if (!host.isLost) count += here;
    if (count !== this.#count) this.#onCount(count - this.#count);
    this.#count = count;
  }

  #sweepLater(): void {
    if (this.#timer !== undefined || this.#options.maxIdleMs === 0) return;
    const delayMs = Math.min(SWEEP_MS, this.#options.maxIdleMs);
    this.#timer = setTimeout(() => this.#sweep(), delayMs).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const before = performance.now() - this.#options.maxIdleMs;
    for (const [id, place] of this.#places) {
      if (place.underWay === 0 && place.lastUsed < before) this.#forget(id, place);
    }
    if (this.#places.size > 0) this.#sweepLater();
  }
}

function bytesOf({ inputs }: InferenceRequest): number {
  return inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** What comes next waits for `answer`, whatever it is. */
function holdBack(place: Place<unknown>, answer: Promise<unknown>): void {
  const large = answer
    .then(
      () => {},
      () => {},
    )
    .finally(() => {
      if (place.large === large) place.large = undefined;
    });
  place.large = large;
}
