import type { Logger } from '../base/logger.ts';
import type { HostClient } from '../ipc/host-client.ts';
import type { LaunchedHost, Launcher } from '../ipc/launcher.ts';
import type { RunTiming } from '../ipc/run-timing.ts';
import { Supervisor, type SupervisorOptions } from '../ipc/supervisor.ts';
import type { RuntimeSpec } from './servable-spec.ts';

export interface HostSlotEvents {
  /** A host, or its replacement, is up: load what belongs on this slot. */
  onUp(slot: HostSlot, client: HostClient): void;
  onDown(slot: HostSlot, reason: string): void;
  onRun(loadId: number, timing: RunTiming): void;
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
        onDown: (reason) => {
          this.#client = undefined;
          events.onDown(this, reason);
        },
        onRun: (loadId, timing) => events.onRun(loadId, timing),
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

/** All host processes: the shared ones, and one for each servable that asks for its own. */
export class HostPool implements AsyncDisposable {
  readonly shared: readonly HostSlot[];
  readonly #own = new Set<HostSlot>();
  readonly #options: HostPoolOptions;
  readonly #events: HostSlotEvents;
  readonly #logger: Logger;

  constructor(options: HostPoolOptions, events: HostSlotEvents, logger: Logger) {
    this.#options = options;
    this.#events = events;
    this.#logger = logger;
    this.shared = Array.from({ length: options.shared }, (_, i) => this.#slot(`host ${i}`, JAVASCRIPT));
  }

  /** A host for one servable, or one group of them, alone; `releaseOwn` ends it. */
  acquireOwn(name: string, program: HostProgram = JAVASCRIPT): HostSlot {
    const slot = this.#slot(`host of ${name}`, program);
    this.#own.add(slot);
    return slot;
  }

  async releaseOwn(slot: HostSlot): Promise<void> {
    if (this.#own.delete(slot)) await slot[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.shared, ...this.#own].map((slot) => slot[Symbol.asyncDispose]()));
  }

  #slot(name: string, program: HostProgram): HostSlot {
    const launch: Launcher = () => this.#options.launch(program);
    return new HostSlot(name, launch, { ...this.#options.supervision, name }, this.#events, this.#logger);
  }
}
