import type { Logger, LogSettings } from '../base/logger.ts';
import type { HostClient } from '../ipc/host-client.ts';
import type { HostHandler } from '../ipc/host-handler.ts';
import type { Infer } from '../ipc/incoming-calls.ts';
import type { LaunchedHost, Launcher } from '../ipc/launcher.ts';
import type { MetricUpdate } from '../ipc/metric-update.ts';
import type { ResourceNeed } from '../ipc/resource-need.ts';
import type { RunTiming } from '../ipc/run-timing.ts';
import { Supervisor, type SupervisorOptions } from '../ipc/supervisor.ts';
import type { RuntimeSpec } from './servable-spec.ts';

export interface HostSlotEvents {
  /** A host, or its replacement, is up: load what belongs on this slot. */
  onUp(slot: HostSlot, client: HostClient): void;
  onDown(slot: HostSlot, reason: string, neverStarted: boolean): void;
  /** Its last servable has let go of it: nothing comes from it any more. */
  onGone(slot: HostSlot): void;
  onRun(loadId: number, timing: RunTiming): void;
  /** A runtime measured something itself. */
  onMetrics(slot: HostSlot, loadId: number, updates: readonly MetricUpdate[]): void;
  /** A graph of a host runs a model that is on another one. */
  onCall: Infer;
  /** An ensemble of a host runs a step that answers more than once. */
  onOpen: HostHandler['open'];
  /** A run of a host wants resources that runs share; as of `HostEvents`. */
  onAcquire(slot: HostSlot, loadId: number, need: ResourceNeed, grant: (release: () => void) => void): () => void;
  /** A host has no use any more for a model of another one. */
  onReleased(slot: HostSlot, loadId: number): void;
}

interface HostPlace {
  readonly name: string;
  readonly program: HostProgram;
  readonly launch: Launcher;
}

/** A place for a host process; who is in it changes when one dies. */
export class HostSlot implements AsyncDisposable {
  readonly name: string;
  readonly language: HostProgram['language'];
  readonly #supervisor: Supervisor;
  #client: HostClient | undefined;
  #log: LogSettings | undefined;

  constructor(
    { name, program, launch }: HostPlace,
    options: Omit<SupervisorOptions, 'name'>,
    events: HostSlotEvents,
    logger: Logger,
  ) {
    this.name = name;
    this.language = program.language;
    this.#supervisor = new Supervisor(
      launch,
      { ...options, name },
      {
        onUp: (client) => {
          this.#client = client;
          if (this.#log !== undefined) client.setLog(this.#log);
          events.onUp(this, client);
        },
        onDown: (reason, neverStarted) => {
          this.#client = undefined;
          events.onDown(this, reason, neverStarted);
        },
        onRun: (loadId, timing) => events.onRun(loadId, timing),
        onMetrics: (loadId, updates) => events.onMetrics(this, loadId, updates),
        onCall: (...call) => events.onCall(...call),
        onOpen: (...opening) => events.onOpen(...opening),
        onAcquire: (...asked) => events.onAcquire(this, ...asked),
        onReleased: (loadId) => events.onReleased(this, loadId),
      },
      logger,
    );
    this.#supervisor.start();
  }

  /** The host that is in it now. */
  get client(): HostClient | undefined {
    return this.#client;
  }

  /** What its host logs from now on, and each that takes its place. */
  setLog(settings: LogSettings): void {
    this.#log = settings;
    this.#client?.setLog(settings);
  }

  /** See {@link Supervisor.limitSilence}. */
  limitSilence(maxMs: number, reason: string): void {
    this.#supervisor.limitSilence(maxMs, reason);
  }

  /** See {@link Supervisor.kill}. */
  kill(reason: string): void {
    this.#supervisor.kill(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client = undefined;
    await this.#supervisor[Symbol.asyncDispose]();
  }
}

/** Which program a host is: ours in Node, or the one that runs Python runtimes. */
export interface HostProgram {
  readonly language: RuntimeSpec['language'];
  /** Of Python: its interpreter and the folders of `sys.path`. */
  readonly python?: RuntimeSpec['python'];
}

export const JAVASCRIPT: HostProgram = { language: 'javascript' };

export interface HostPoolOptions {
  /** Hosts that all servables without a host of their own share. */
  readonly shared: number;
  readonly launch: (program: HostProgram) => LaunchedHost;
  readonly supervision: Omit<SupervisorOptions, 'name'>;
  /** How much there is of resources that runs of models share. */
  readonly resources?: ReadonlyMap<string, number> | undefined;
}

/** Which hosts of its own a servable asks for. */
export interface OwnHosts {
  /** Of the servable, for their names. */
  readonly name: string;
  readonly program: HostProgram;
  /** How many. */
  readonly count: number;
  /** Servables of one group and program share their hosts; undefined: nobody else has them. */
  readonly group?: string | undefined;
}

/** All host processes: the shared ones, and those of servables, or groups of servables, that ask for their own. */
export class HostPool implements AsyncDisposable {
  readonly shared: readonly HostSlot[];
  /** With the number of servables that have them. */
  readonly #own = new Map<HostSlot, number>();
  /** Shared hosts with the number of models that only some of them load. */
  readonly #some = new Map<HostSlot, number>();
  /** Hosts by program and group. */
  readonly #groups = new Map<string, HostSlot[]>();
  /** What they log, where that has changed since the start. */
  #log: LogSettings | undefined;
  readonly #options: HostPoolOptions;
  readonly #events: HostSlotEvents;
  readonly #logger: Logger;

  constructor(options: HostPoolOptions, events: HostSlotEvents, logger: Logger) {
    this.#options = options;
    this.#events = events;
    this.#logger = logger;
    this.shared = Array.from({ length: options.shared }, (_, i) => this.#slot(`host ${i}`, JAVASCRIPT));
  }

  /** Every host that runs our own program. */
  get javascript(): readonly HostSlot[] {
    return [...this.shared, ...this.#own.keys()].filter(({ language }) => language === 'javascript');
  }

  /** What all of them log from now on. */
  setLog(settings: LogSettings): void {
    this.#log = settings;
    for (const slot of [...this.shared, ...this.#own.keys()]) slot.setLog(settings);
  }

  /** As many of the shared hosts, those with the fewest models that not all of them load. */
  acquireSome(count: number): readonly HostSlot[] {
    if (count >= this.shared.length) return this.shared;
    const taken = this.shared.toSorted((a, b) => this.#modelsOf(a) - this.#modelsOf(b)).slice(0, count);
    for (const slot of taken) this.#some.set(slot, this.#modelsOf(slot) + 1);
    return taken;
  }

  /** Gives back what `acquireSome` gave. */
  releaseSome(slots: readonly HostSlot[]): void {
    for (const slot of slots) this.#some.set(slot, this.#modelsOf(slot) - 1);
  }

  #modelsOf(slot: HostSlot): number {
    return this.#some.get(slot) ?? 0;
  }

  /** Hosts apart from the shared ones; each is released by itself, with `releaseOwn`. */
  acquireOwn({ name, program, count, group }: OwnHosts): readonly HostSlot[] {
    const key = JSON.stringify([program, group]);
    const slots = (group === undefined ? undefined : this.#groups.get(key)) ?? [];
    const owner = group === undefined ? name : `group ${group}`;
    while (slots.length < count) {
      slots.push(this.#slot(`host ${count === 1 ? '' : `${slots.length + 1} `}of ${owner}`, program));
    }
    if (group !== undefined) this.#groups.set(key, slots);
    const taken = slots.slice(0, count);
    for (const slot of taken) this.#own.set(slot, this.#usersOf(slot) + 1);
    return taken;
  }

  /** Whether more than one servable has it. */
  isShared(slot: HostSlot): boolean {
    return this.shared.includes(slot) || this.#usersOf(slot) > 1;
  }

  /** It ends with its last servable. */
  async releaseOwn(slot: HostSlot): Promise<void> {
    const users = this.#usersOf(slot) - 1;
    if (users > 0) this.#own.set(slot, users);
    if (users !== 0) return;
    this.#own.delete(slot);
    for (const [key, slots] of this.#groups) {
      const left = slots.filter((other) => other !== slot);
      if (left.length > 0) this.#groups.set(key, left);
      else this.#groups.delete(key);
    }
    await slot[Symbol.asyncDispose]();
    this.#events.onGone(slot);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.shared, ...this.#own.keys()].map((slot) => slot[Symbol.asyncDispose]()));
  }

  #usersOf(slot: HostSlot): number {
    return this.#own.get(slot) ?? 0;
  }

  #slot(name: string, program: HostProgram): HostSlot {
    const launch: Launcher = () => this.#options.launch(program);
    const slot = new HostSlot({ name, program, launch }, this.#options.supervision, this.#events, this.#logger);
    if (this.#log !== undefined) slot.setLog(this.#log);
    return slot;
  }
}
