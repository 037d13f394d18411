import type { Logger, LogSettings } from '../base/logger.ts';
import type { ServableDescription } from '../ipc/description.ts';
import type { HostClient } from '../ipc/host-client.ts';
import type { MetricUpdate } from '../ipc/metric-update.ts';
import type { RunTiming } from '../ipc/run-timing.ts';
import type { ServableKind, ServableState, ServableStatus } from './data-plane.ts';
import { Deployment } from './deployment.ts';
import { HostPool, type HostPoolOptions, type HostSlot } from './host-pool.ts';
import { isStep, modelsOf, stepsOf } from './ensemble-steps.ts';
import { limitCalls, limitLoad, ownHosts } from './own-hosts.ts';
import { ExecutionResources } from './execution-resources.ts';
import { ModelMirrors } from './model-mirrors.ts';
import { mayCome, newEntry, type Entry } from './repository-entry.ts';
import type { BrokenServable, LoadedServables, ServableSpec } from './servable-spec.ts';
import { malformedVersion, notReady, unknownServable, unknownVersion, unloadedServable } from './servable-faults.ts';
import { areDecimal, findVersion, inOrder } from './versions.ts';

export type { Entry } from './repository-entry.ts';

const KIND_ORDER: Record<ServableKind, number> = { model: 0, graph: 1, runtime: 2, ensemble: 3 };

/** What clients asked for, beside what the configuration says. */
export interface Wishes {
  /** Names that stay away. */
  readonly unloaded: ReadonlySet<string>;
  /** The name that is loaded also where nothing of it has changed. */
  readonly reloaded?: string | undefined;
}

export interface RepositoryEvents {
  /** A model ran once. */
  onRun(entry: Entry, timing: RunTiming): void;
  /** A graph or runtime answered as the step of an ensemble. */
  onStep?(entry: Entry, ns: number): void;
  /** A runtime measured something itself, on one of its hosts. */
  onMetrics(entry: Entry, host: object, updates: readonly MetricUpdate[]): void;
  /** The number of its sequences that live has changed by so many. */
  onSequences(entry: Entry, change: number): void;
  /** A host is gone. */
  onHostLost(host: object): void;
  /** A host has loaded it and says so. @throws MillraceError where that cannot be served */
  onLoaded?(name: string, description: ServableDescription): void;
  /** A generation is ready and serves from now on. */
  onReady(entry: Entry, description: ServableDescription): void;
  /** It is not served any more. */
  onRemoved(entry: Entry): void;
}

/** Keeps what should be served loaded on the hosts; a reload swaps generations under running sessions. */
export class ModelRepository implements AsyncDisposable {
  readonly #pool: HostPool;
  readonly #logger: Logger;
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #events: RepositoryEvents;
  readonly #byLoadId = new Map<number, Entry>();
  readonly #mirrors = new ModelMirrors(
    () => this.#pool.javascript,
    (loadId, ns) => {
      const entry = this.#byLoadId.get(loadId);
      if (entry !== undefined) this.#events.onStep?.(entry, ns);
    },
  );
  readonly #resources: ExecutionResources;
  #nextLoadId = 1;
  #waiters: (() => void)[] = [];
  #isClosed = false;

  constructor(options: HostPoolOptions, events: RepositoryEvents, logger: Logger) {
    this.#logger = logger;
    this.#events = events;
    this.#resources = new ExecutionResources(options.resources);
    this.#pool = new HostPool(
      options,
      {
        onUp: (slot, client) => this.#loadAll(slot, client),
        onCall: (...call) => this.#mirrors.infer(...call),
        onOpen: (...opening) => this.#mirrors.open(...opening),
        onAcquire: (slot, loadId, need, grant) => {
          const { name = '', version = '' } = this.#byLoadId.get(loadId) ?? {};
          return this.#resources.acquire(JSON.stringify([slot.name, name, version]), need, grant);
        },
        onReleased: (slot, loadId) => this.#mirrors.released(slot, loadId),
        onDown: (slot, reason, neverStarted) => this.#down(slot, reason, neverStarted),
        onGone: (slot) => this.#forget(slot),
        onRun: (loadId, timing) => {
          const entry = this.#byLoadId.get(loadId);
          if (entry !== undefined) this.#events.onRun(entry, timing);
        },
        onMetrics: (slot, loadId, updates) => {
          const entry = this.#byLoadId.get(loadId);
          if (entry !== undefined) this.#events.onMetrics(entry, slot, updates);
        },
      },
      logger,
    );
  }

  /** Makes the repository serve exactly `wanted`. Unchanged servables are left alone. @returns whether any changed */
  apply(wanted: LoadedServables, { unloaded, reloaded }: Wishes = { unloaded: new Set() }): boolean {
    const all = [...wanted.specs, ...wanted.broken];
    const names = new Set(all.map(({ name }) => name));
    const versions = new Set(all.map(({ name, version }) => JSON.stringify([name, version])));
    let hasChanged = false;
    for (const each of all) {
      if (unloaded.has(each.name)) hasChanged = this.#leaveUnloaded(each.name, each.version, each.kind) || hasChanged;
    }
    for (const spec of wanted.specs.toSorted((a, b) => KIND_ORDER[a.kind] - KIND_ORDER[b.kind])) {
      if (!unloaded.has(spec.name)) hasChanged = this.#want(spec, spec.name === reloaded) || hasChanged;
    }
    for (const broken of wanted.broken) {
      if (!unloaded.has(broken.name)) hasChanged = this.#break(broken) || hasChanged;
    }
    for (const entry of this.entries()) {
      const isWanted = versions.has(JSON.stringify([entry.name, entry.version]));
      if (entry.isWanted && !isWanted) hasChanged = true;
      entry.isWanted = isWanted;
      if (!names.has(entry.name) || (!isWanted && unloaded.has(entry.name))) this.#remove(entry);
    }
    for (const name of names) this.#removeSuperseded(name);
    return hasChanged;
  }

  /**
   * Resolves when no servable, or none of that name, is loading any more, or is about to be in the replacement of a host that
   * was lost.
   */
  async settled(name?: string): Promise<void> {
    while (!this.#isClosed && this.mayCome(name)) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Whether some servable, or one of that name, is loading, or will be once a host that was lost is replaced. */
  mayCome(name?: string): boolean {
    return this.entries().some((entry) => (name === undefined || entry.name === name) && mayCome(entry));
  }

  /** What the hosts log from now on. */
  setLog(settings: LogSettings): void {
    this.#pool.setLog(settings);
  }

  entries(): Entry[] {
    return [...this.#entries.values()].flatMap((versions) => [...versions.values()]);
  }

  /** Every version of a name, the default one last; undefined if there is none. */
  versions(name: string): Entry[] | undefined {
    const versions = this.#entries.get(name);
    if (versions === undefined || versions.size === 1) return versions && [...versions.values()];
    return inOrder([...versions.values()]);
  }

  status(entry: Entry): ServableStatus {
    const { name, version, kind } = entry;
    if (entry.isUnloaded) return { name, version, kind, state: 'unloaded', reason: 'unloaded' };
    const reason = entry.brokenReason || (entry.next ?? entry.current)?.reason || '';
    let state: ServableState = 'unavailable';
    if (entry.current?.isReady === true) state = 'ready';
    else if ((entry.next ?? entry.current)?.isSettled === false) state = 'loading';
    const isWhole = state === 'ready' && entry.next === undefined && entry.brokenReason === '';
    return { name, version, kind, state, reason: isWhole ? '' : reason };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#pool[Symbol.asyncDispose]();
  }

  #want(spec: ServableSpec, isForced: boolean): boolean {
    const entry = this.#entry(spec.name, spec.version, spec.kind);
    const present = entry.next ?? entry.current;
    const wasBroken = entry.brokenReason !== '';
    entry.brokenReason = '';
    entry.isUnloaded = false;
    if (isForced) {
      this.#deploy(entry, spec);
      return true;
    }
    if (present?.spec.fingerprint === spec.fingerprint && !present.mayLoadAgain) return wasBroken;
    if (entry.current?.spec.fingerprint === spec.fingerprint && !entry.current.mayLoadAgain) {
      this.#retire(entry.next);
      entry.next = undefined;
      return true;
    }
    this.#deploy(entry, spec);
    return true;
  }

  /** Starts to load a new generation in the place of one that is not done. */
  #deploy(entry: Entry, spec: ServableSpec): void {
    this.#retire(entry.next);
    const loadId = this.#nextLoadId++;
    entry.next = new Deployment(spec, loadId, this.#slotsFor(spec), (change) => {
      this.#events.onSequences(entry, change);
    });
    const { slots } = entry.next;
    this.#byLoadId.set(loadId, entry);
    const steps = this.entries().filter(({ name }) => stepsOf(spec).includes(name));
    for (const { current } of steps) if (current?.isReady === true) this.#mirrorStep(current);
    for (const slot of slots) if (slot.client !== undefined) this.#load(entry, entry.next, slot, slot.client);
  }

  #slotsFor(spec: ServableSpec): readonly HostSlot[] {
    if (spec.kind === 'model') return this.#pool.acquireSome(spec.instances ?? Infinity);
    const own = ownHosts(spec);
    return own === undefined ? this.#pool.shared : this.#pool.acquireOwn(own);
  }

  /** @returns whether it was loaded, or is new */
  #leaveUnloaded(name: string, version: string, kind: ServableKind): boolean {
    const entry = this.#entry(name, version, kind);
    if (entry.isUnloaded) return false;
    const { current, next } = entry;
    Object.assign(entry, { current: undefined, next: undefined, brokenReason: '', isUnloaded: true });
    this.#retire(current);
    this.#retire(next);
    if (current === undefined) return true;
    this.#logger.info({ servable: name, version }, 'servable unloaded');
    this.#reloadGraphsOf(name, this.#nextLoadId);
    return true;
  }

  #break(broken: BrokenServable): boolean {
    const present = this.#entries.get(broken.name)?.get(broken.version);
    // Of an entry that cannot be read the kind is a guess: what serves under its name stays.
    const entry = present?.current === undefined ? this.#entry(broken.name, broken.version, broken.kind) : present;
    const hasChanged = entry.isUnloaded || entry.brokenReason !== broken.reason;
    entry.isUnloaded = false;
    entry.brokenReason = broken.reason;
    this.#retire(entry.next);
    entry.next = undefined;
    if (hasChanged) this.#logger.error({ ...broken }, 'servable cannot be loaded');
    return hasChanged;
  }

  #entry(name: string, version: string, kind: ServableKind): Entry {
    let versions = this.#entries.get(name);
    if (versions === undefined) this.#entries.set(name, (versions = new Map<string, Entry>()));
    let entry = versions.get(version);
    if (entry === undefined || entry.kind !== kind) {
      if (entry !== undefined) this.#remove(entry);
      entry = newEntry(name, version, kind);
      this.#entries.set(name, versions.set(version, entry));
    }
    return entry;
  }

  /** An old version goes only when the ones that take its place are there, or one of them is and the rest have failed. */
  #removeSuperseded(name: string): void {
    const versions = this.versions(name) ?? [];
    const wanted = versions.filter((entry) => entry.isWanted);
    if (wanted.some(mayCome)) return;
    if (!wanted.some((entry) => entry.current?.isReady)) return;
    for (const entry of versions) if (!entry.isWanted) this.#remove(entry);
  }

  #remove(entry: Entry): void {
    this.#retire(entry.current);
    this.#retire(entry.next);
    const versions = this.#entries.get(entry.name);
    versions?.delete(entry.version);
    if (versions?.size === 0) this.#entries.delete(entry.name);
    this.#logger.info({ servable: entry.name, version: entry.version }, 'servable removed');
    this.#events.onRemoved(entry);
    this.#reloadGraphsOf(entry.name, this.#nextLoadId);
  }

  /** A graph's description comes from its models, an ensemble's steps are looked for: loads anew what was loaded before `loadId`. */
  #reloadGraphsOf(model: string, loadId: number): void {
    for (const entry of this.entries()) {
      const newest = entry.next ?? entry.current;
      if (newest === undefined || newest.loadId > loadId) continue;
      if (modelsOf(newest).includes(model)) this.#deploy(entry, newest.spec);
    }
  }

  #retire(deployment: Deployment | undefined): void {
    if (deployment === undefined) return;
    deployment.retire(this.#mirrors.retire(deployment));
    this.#byLoadId.delete(deployment.loadId);
    if (deployment.slots === this.#pool.shared) return;
    if (deployment.spec.kind === 'model') return this.#pool.releaseSome(deployment.slots);
    for (const slot of deployment.slots) void this.#releaseWhenIdle(slot);
  }

  /** A host of one servable ends after the last session on it. */
  async #releaseWhenIdle(slot: HostSlot): Promise<void> {
    while (!this.#pool.isShared(slot) && (slot.client?.callCount ?? 0) > 0)
      await new Promise((resolve) => setTimeout(resolve, 100).unref());
    await this.#pool.releaseOwn(slot);
  }

  /** Specs are loaded in the order of the calls: models before the graphs that name them. */
  #load(entry: Entry, deployment: Deployment, slot: HostSlot, client: HostClient): void {
    if (this.#awaitsModels(deployment, slot)) {
      this.#waiters.push(() => {
        const isWanted = deployment === entry.next || deployment === entry.current;
        if (isWanted && slot.client === client) this.#load(entry, deployment, slot, client);
      });
      return;
    }
    const guard = this.#pool.isShared(slot) ? undefined : limitLoad(deployment.spec, slot, client);
    const check = (description: ServableDescription): void => this.#events.onLoaded?.(entry.name, description);
    void deployment.load(slot, client, check).then((isLoaded) => {
      clearTimeout(guard);
      const fields = { servable: entry.name, version: entry.version, kind: entry.kind, host: slot.name };
      if (isLoaded) {
        this.#logger.debug(fields, 'servable loaded');
        if (!this.#pool.isShared(slot)) limitCalls(deployment.spec, slot);
      } else this.#logger.error({ ...fields, reason: deployment.reason }, 'servable failed to load');
      this.#settle(entry);
    });
  }

  /** A graph, while a model that its host will only be told of is still loading on another one; an ensemble, while a step is. */
  #awaitsModels({ spec, slots }: Deployment, slot: HostSlot): boolean {
    if (spec.kind === 'model' || spec.kind === 'runtime') return false;
    const steps = stepsOf(spec);
    return this.entries().some(({ name, next }) => {
      if (next?.spec.kind !== 'model' && next?.isSettled === false && steps.includes(name)) return true;
      return next?.spec.kind === 'model' && !next.isSettled && slots.includes(slot) && !next.slots.includes(slot);
    });
  }

  /** After each change of a state: what is ready takes over, and those who wait for the end of loading look again. */
  #settle(entry: Entry): void {
    const { next } = entry;
    // One that is nowhere ready does not end the generation that serves.
    if (next?.isSettled === true && next.isReady) this.#promote(entry, next);
    this.#removeSuperseded(entry.name);
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #promote(entry: Entry, deployment: Deployment): void {
    const old = entry.current;
    entry.current = deployment;
    entry.next = undefined;
    this.#retire(old);
    const { provider, warnings } = deployment.description ?? {};
    if (deployment.spec.kind === 'model' && deployment.spec.instances !== undefined) this.#mirrors.add(deployment);
    if (isStep(entry.name, this.entries())) this.#mirrorStep(deployment);
    if (deployment.description !== undefined) this.#events.onReady(entry, deployment.description);
    const fields = { servable: entry.name, version: entry.version, kind: entry.kind, provider };
    this.#logger.info(fields, old === undefined ? 'servable ready' : 'servable reloaded');
    for (const warning of warnings ?? []) this.#logger.warn(fields, warning);
    this.#reloadGraphsOf(entry.name, deployment.loadId);
  }

  /** The hosts reach a graph or runtime that is a step through the front. */
  #mirrorStep(deployment: Deployment): void {
    const { kind } = deployment.spec;
    if (kind === 'graph' || kind === 'runtime') this.#mirrors.add(deployment, () => this.#nextLoadId++);
  }

  #loadAll(slot: HostSlot, client: HostClient): void {
    this.#mirrors.onUp(slot, client);
    const entries = this.entries().toSorted((a, b) => KIND_ORDER[a.kind] - KIND_ORDER[b.kind]);
    for (const entry of entries) {
      for (const deployment of [entry.current, entry.next]) {
        if (deployment?.slots.includes(slot) === true) this.#load(entry, deployment, slot, client);
      }
    }
  }

  #forget(slot: HostSlot): void {
    this.#events.onHostLost(slot);
    this.#mirrors.onDown(slot);
  }

  #down(slot: HostSlot, reason: string, neverStarted: boolean): void {
    this.#forget(slot);
    for (const entry of this.entries()) {
      entry.current?.down(slot, reason, neverStarted);
      entry.next?.down(slot, reason, neverStarted);
      this.#settle(entry);
    }
  }

  versionCount(name: string): number {
    return this.#entries.get(name)?.size ?? 0;
  }

  /** Of a name that has one version, as most have: every request asks. */
  #onlyVersion(name: string): Entry | undefined {
    const versions = this.#entries.get(name);
    return versions?.size === 1 ? versions.values().next().value : undefined;
  }

  /**
   * The entry to serve a request.
   * @throws MillraceError with Triton's texts (KServe sheet §2.5)
   */
  resolve(name: string, version: string): Entry {
    const only = this.#onlyVersion(name);
    if (only?.current?.isReady === true && (version === '' || version === only.version)) return only;
    const versions = this.versions(name);
    if (versions === undefined) {
      const known = this.entries().map((entry) => entry.name);
      throw unknownServable(name, known);
    }
    if (version === '') {
      const ready = versions.findLast((entry) => entry.current?.isReady);
      if (ready !== undefined) return ready;
      if (versions.every((entry) => entry.isUnloaded)) {
        throw unloadedServable(name);
      }
      throw notReady(this.status(versions.at(-1) as Entry));
    }
    if (!/^\d+$/.test(version) && areDecimal(versions)) throw malformedVersion(name, version);
    const entry = findVersion(versions, version);
    if (entry === undefined) throw unknownVersion(name, version);
    if (entry.current?.isReady !== true) throw notReady(this.status(entry));
    return entry;
  }
}
