import type { Logger } from '../base/logger.ts';
import type { HostClient } from '../ipc/host-client.ts';
import type { LaunchedHost, Launcher } from '../ipc/launcher.ts';
import type { MetricUpdate } from '../ipc/metric-update.ts';
import type { RunTiming } from '../ipc/run-timing.ts';
import { Supervisor, type SupervisorOptions } from '../ipc/supervisor.ts';
import type { RuntimeSpec } from './servable-spec.ts';

export interface HostSlotEvents {
  /** A host, or its replacement, is up: load what belongs on this slot. */
  onUp(slot: HostSlot, client: HostClient): void;
  onDown(slot: HostSlot, reason: string, neverStarted: boolean): void;
  onRun(loadId: number, timing: RunTiming): void;
  /** A runtime measured something itself. */
  onMetrics(slot: HostSlot, loadId: number, updates: readonly MetricUpdate[]): void;
}

/** A place for a host process; who is in it changes when one dies. */
export class HostSlot implements AsyncDisposable {
  readonly name: string;
  readonly #supervisor: Supervisor;
  #client: HostClient | undefined;

  constructor(name: string, launch: Launcher, options: SupervisorOptions, events: HostSlotEvents, logger: Logger) {
    this.name = name;
    this.#supervisor = new Supervisor(
      launch,
      options,
      {
        onUp: (client) => {
          this.#client = client;
          events.onUp(this, client);
        },
        onDown: (reason, neverStarted) => {
          this.#client = undefined;
          events.onDown(this, reason, neverStarted);
        },
        onRun: (loadId, timing) => events.onRun(loadId, timing),
        onMetrics: (loadId, updates) => events.onMetrics(this, loadId, updates),
      },
      logger,
    );
    this.#supervisor.start();
  }

  /** The host that is in it now. */
  get client(): HostClient | undefined {
    return this.#client;
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
  /** Hosts by program and group. */
  readonly #groups = new Map<string, HostSlot[]>();
  readonly #options: HostPoolOptions;
  readonly #events: HostSlotEvents;
  readonly #logger: Logger;

  constructor(options: HostPoolOptions, events: HostSlotEvents, logger: Logger) {
    this.#options = options;
    this.#events = events;
    this.#logger = logger;
    this.shared = Array.from({ length: options.shared }, (_, i) => this.#slot(`host ${i}`, JAVASCRIPT));
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
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.shared, ...this.#own.keys()].map((slot) => slot[Symbol.asyncDispose]()));
  }

  #usersOf(slot: HostSlot): number {
    return this.#own.get(slot) ?? 0;
  }

  #slot(name: string, program: HostProgram): HostSlot {
    const launch: Launcher = () => this.#options.launch(program);
    return new HostSlot(name, launch, { ...this.#options.supervision, name }, this.#events, this.#logger);
  }
}
