import { MillraceError } from '../base/errors.ts';
import type { Cancellation } from '../base/cancellation.ts';
import type { ServableDescription } from '../ipc/description.ts';
import type { HostClient } from '../ipc/host-client.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { HostSlot } from './host-pool.ts';
import { RequestRate } from './request-rate.ts';
import { SequencePlaces, type SequencePlacesOptions } from './sequence-places.ts';
import type { ServableSpec } from './servable-spec.ts';

const SHORT_QUEUE_MS = 5;
const SERVICE_WEIGHT = 0.05;

/** Hosts that may end in a row, in one place, while they load it; then it is taken for the cause. */
const MAX_LOSSES = 2;

/** Hosts of one place that may end in a row before it has loaded there, until it is no longer waited for. */
const MAX_AWAITED = 8;

type Settled = 'loading' | 'ready' | 'failed' | 'down';

/** One generation of a servable on the hosts that serve it. A changed file makes another generation. */
export class Deployment {
  readonly spec: ServableSpec;
  readonly loadId: number;
  readonly slots: readonly HostSlot[];
  /** Limits clients' requests, where its entry does. */
  readonly rate: RequestRate | undefined;
  /** Where its sequences live, where it has any. */
  readonly #sequences: SequencePlaces<HostClient> | undefined;
  readonly #states = new Map<HostSlot, Settled>();
  /** Hosts that ended in a row while they loaded it. */
  readonly #losses = new Map<HostSlot, number>();
  /** Hosts that ended since one in their place had it, or since the beginning. */
  readonly #ends = new Map<HostSlot, number>();
  #description: ServableDescription | undefined;
  #reason = '';
  #isRetired = false;
  /** Time that a host needs for a call, a moving average; a slow one is assumed until one was seen. */
  #serviceMs = SHORT_QUEUE_MS;

  /** @param onSequences the number of sequences that live has changed by so many */
  constructor(
    spec: ServableSpec,
    loadId: number,
    slots: readonly HostSlot[],
    onSequences: (change: number) => void = () => {},
  ) {
    this.spec = spec;
    this.loadId = loadId;
    this.slots = slots;
    const limit = spec.kind === 'model' ? spec.requestLimit : undefined;
    this.rate = limit && new RequestRate(spec.name, limit);
    const sequences = sequencesOf(spec);
    this.#sequences = sequences && new SequencePlaces(spec.name, sequences, onSequences);
    for (const slot of slots) this.#states.set(slot, 'loading');
  }

  /** Of the host that loaded it last; undefined until one has. */
  get description(): ServableDescription | undefined {
    return this.#description;
  }

  /** Why it is not ready. */
  get reason(): string {
    return this.#reason;
  }

  get isReady(): boolean {
    if (this.#isRetired) return false;
    for (const state of this.#states.values()) if (state === 'ready') return true;
    return false;
  }

  /** Sequences that live and whose end its host knows; those of a runtime may have ended long ago. */
  get openSequences(): number {
    return this.spec.kind === 'model' ? (this.#sequences?.count ?? 0) : 0;
  }

  /** How many hosts have it. */
  get readyHosts(): number {
    return this.#isRetired ? 0 : [...this.#states.values()].filter((state) => state === 'ready').length;
  }

  /** No host is loading it any more. */
  get isSettled(): boolean {
    return ![...this.#states.values()].includes('loading');
  }

  /** Nothing serves it, and a host was lost whose replacement will load it. One that ends over and over is not waited for. */
  get awaitsHost(): boolean {
    if (this.isReady) return false;
    return this.slots.some((slot) => this.#states.get(slot) === 'down' && (this.#ends.get(slot) ?? 0) < MAX_AWAITED);
  }

  /** Nothing serves it, and loading it again may mend that. */
  get mayLoadAgain(): boolean {
    const isFailed = this.isSettled && !this.isReady && [...this.#states.values()].includes('failed');
    return isFailed && !this.slots.some((slot) => this.#isGivenUp(slot));
  }

  /**
   * Loads it in the host that is in `slot` now.
   * @param check throws a MillraceError where what the host says of it cannot be served
   * @returns whether that succeeded
   */
  async load(
    slot: HostSlot,
    client: HostClient,
    check: (description: ServableDescription) => void = () => {},
  ): Promise<boolean> {
    if (this.#isRetired || this.#isGivenUp(slot)) return false;
    this.#states.set(slot, 'loading');
    try {
      const description = (await client.loadServable(this.loadId, this.spec)) as ServableDescription;
      this.#check(description, client, check);
      this.#description = description;
      this.#states.set(slot, 'ready');
      this.#losses.delete(slot);
      this.#ends.delete(slot);
      this.#reason = '';
      return true;
    } catch (error) {
      this.#fail(slot, MillraceError.from(error));
      return false;
    }
  }

  /** @param neverStarted the host's program could not even be started, which waiting will hardly mend */
  down(slot: HostSlot, reason: string, neverStarted = false): void {
    if (!this.#states.has(slot) || this.#isGivenUp(slot)) return;
    this.#states.set(slot, 'down');
    this.#sequences?.hostLost();
    this.#ends.set(slot, neverStarted ? MAX_AWAITED : (this.#ends.get(slot) ?? 0) + 1);
    this.#reason = reason;
  }

  /**
   * For a session: the host where the sequence lives that `first` names, else the one with the fewest calls and sessions under
   * way among those that have it.
   */
  pickForSession(first?: InferenceRequest): HostClient | undefined {
    const home = first && this.#sequences?.hostOf(first);
    if (home !== undefined) return home;
    let best: HostClient | undefined;
    for (const slot of this.slots) {
      const client = this.#clientIn(slot);
      if (client === undefined) continue;
      if (best === undefined || client.callCount < best.callCount) best = client;
    }
    return best;
  }

  /**
   * For a unary call: the first host whose queue is short in time, else the one with the least queued. Quick calls so stay
   * together, where they share reads and writes; slow ones spread over the hosts. Runtimes run on as many as their users have
   * asked for: the one with the least to do.
   */
  pickForCall(): HostClient | undefined {
    if (this.spec.kind === 'runtime') return this.pickForSession();
    let best: HostClient | undefined;
    for (const slot of this.slots) {
      const client = this.#clientIn(slot);
      if (client === undefined) continue;
      if (client.unaryCount * this.#serviceMs < SHORT_QUEUE_MS) return client;
      if (best === undefined || client.callCount < best.callCount) best = client;
    }
    return best;
  }

  /**
   * A unary call on `host`; one of a sequence where that lives, or, where it begins, on the host with the fewest.
   * @param host that `pickForCall` has given
   */
  infer(host: HostClient, request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    const send = (to: HostClient): Promise<InferenceResponse> => to.infer(this.loadId, request, cancellation);
    if (this.#sequences === undefined) return send(host);
    const others = this.slots.flatMap((slot) => this.#clientIn(slot) ?? []);
    return this.#sequences.infer(request, [host, ...others], send);
  }

  /** The request goes on with a sequence that lives. */
  continuesSequence(request: InferenceRequest): boolean {
    return this.#sequences?.continues(request) === true;
  }

  /** The host in `slot` if it has this and lives. One that was just lost has no calls, so it would look the idlest. */
  #clientIn(slot: HostSlot): HostClient | undefined {
    const { client } = slot;
    return client?.isLost === false && this.#states.get(slot) === 'ready' ? client : undefined;
  }

  /**
   * A unary call was answered.
   * @param queued calls under way on its host when it was sent, itself included
   */
  answered(latencyMs: number, queued: number): void {
    this.#serviceMs += (latencyMs / queued - this.#serviceMs) * SERVICE_WEIGHT;
  }

  /**
   * No new calls; the hosts free it when its sessions have ended.
   * @param unused settles when no graph of another host uses it any more
   */
  retire(unused?: Promise<void>): void {
    this.#isRetired = true;
    this.#sequences?.clear();
    if (unused === undefined) this.#unload();
    else void unused.then(() => this.#unload());
  }

  #check(description: ServableDescription, client: HostClient, check: (told: ServableDescription) => void): void {
    try {
      check(description);
    } catch (error) {
      client.unload(this.loadId);
      throw error;
    }
  }

  #unload(): void {
    for (const slot of this.slots) slot.client?.unload(this.loadId);
  }

  #fail(slot: HostSlot, error: MillraceError): void {
    this.#states.set(slot, error.reason === 'HOST_LOST' ? 'down' : 'failed');
    this.#reason = error.message;
    if (error.details['whileLoading'] !== true) return;
    const losses = (this.#losses.get(slot) ?? 0) + 1;
    this.#losses.set(slot, losses);
    if (losses < MAX_LOSSES) return;
    this.#states.set(slot, 'failed');
    this.#reason = `${error.message}, ${losses} times in a row; it is not loaded again until its files or entry change`;
  }

  /** Loading it ends the host, and all else with it. */
  #isGivenUp(slot: HostSlot): boolean {
    return (this.#losses.get(slot) ?? 0) >= MAX_LOSSES;
  }
}

/** Without a word of when a sequence of a runtime has ended. */
const RUNTIME_IDLE_MS = 600_000;

/** How its requests keep together; undefined: they need not. A runtime keeps its sequences itself, whatever it does in them. */
function sequencesOf(spec: ServableSpec): SequencePlacesOptions | undefined {
  if (spec.kind === 'model' && spec.sequenceBatching !== undefined) {
    return { maxIdleMs: spec.sequenceBatching.maxIdleUs / 1000, mustStart: true };
  }
  const hasSeveral = spec.kind === 'runtime' && spec.instances > 1;
  return hasSeveral ? { maxIdleMs: RUNTIME_IDLE_MS, mustStart: false } : undefined;
}
