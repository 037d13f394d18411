import { MillraceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ModelRepository } from './repository.ts';
import { unknownServable } from './servable-faults.ts';
import type { LoadedServables } from './servable-spec.ts';

export interface WantedServablesOptions {
  /** Reads the configuration. */
  readonly loadServables: () => Promise<LoadedServables>;
  /** Whether servables load as they are found; else only when a client asks for them. Default true. */
  readonly loadsAtOnce?: boolean | undefined;
}

/** What should be served: what the configuration says, without what clients unloaded. One change after another. */
export class WantedServables {
  readonly #options: WantedServablesOptions;
  readonly #repository: ModelRepository;
  readonly #logger: Logger;
  /** The last change; the next waits for it, lest an older configuration is applied after a newer one. */
  #applied: Promise<unknown> = Promise.resolve();
  /** Names that a client unloaded. */
  readonly #unloaded = new Set<string>();
  /** What the configuration said last. */
  #wanted: LoadedServables = { specs: [], broken: [], files: [], warnings: [] };

  constructor(options: WantedServablesOptions, repository: ModelRepository, logger: Logger) {
    this.#options = options;
    this.#repository = repository;
    this.#logger = logger;
  }

  /** Files whose change means another reading. */
  get files(): readonly string[] {
    const { files, specs } = this.#wanted;
    return [...new Set([...files, ...specs.flatMap((spec) => spec.files)])];
  }

  /** Reads the configuration and applies it, and waits until nothing is loading. @returns whether anything changed */
  async reload(): Promise<boolean> {
    const hasChanged = await this.#next(() => this.#read());
    await this.#repository.settled();
    return hasChanged;
  }

  /** As {@link DataPlane.load}. */
  async load(name: string): Promise<void> {
    await this.#next(() => this.#read(name));
    await this.#repository.settled(name);
    const statuses = this.#repository.versions(name)?.map((entry) => this.#repository.status(entry));
    const failure = statuses?.find(({ state, reason }) => state !== 'ready' || reason !== '');
    if (failure === undefined) return;
    const { version, reason } = failure;
    throw new MillraceError(
      'SERVABLE_NOT_READY',
      `failed to load '${name}'${version === '' ? '' : ` version ${version}`}: ${reason}`,
      { code: 'INTERNAL', details: { servable: name, version } },
    );
  }

  /** As {@link DataPlane.unload}. */
  async unload(name: string, checkModel?: (model: string) => void): Promise<void> {
    await this.#next(async () => {
      const known = this.#repository.entries().map((entry) => entry.name);
      if (!known.includes(name)) throw unknownServable(name, known);
      const models = checkModel === undefined ? [] : this.#modelsOf(name);
      for (const model of models) checkModel?.(model);
      for (const each of [name, ...models]) this.#unloaded.add(each);
      this.#repository.apply(this.#wanted, { unloaded: this.#unloaded });
    });
  }

  /** The models of an ensemble's steps. */
  #modelsOf(name: string): string[] {
    return this.#wanted.specs.flatMap((spec) =>
      spec.name === name && spec.kind === 'ensemble' ? spec.models.map((model) => model.name) : [],
    );
  }

  /** Runs `change` after those before it, whether they succeeded or not. */
  #next<T>(change: () => Promise<T>): Promise<T> {
    const applied = this.#applied.then(change);
    this.#applied = applied.catch(() => {});
    return applied;
  }

  /** @param load a name that is loaded though it was unloaded, or has not changed */
  async #read(load?: string): Promise<boolean> {
    const wanted = await this.#options.loadServables();
    const names = new Set([...wanted.specs, ...wanted.broken].map(({ name }) => name));
    if (load !== undefined) {
      if (!names.has(load)) throw unknownServable(load, [...names]);
      this.#unloaded.delete(load);
    }
    if (this.#options.loadsAtOnce === false) {
      for (const name of names) {
        if (name !== load && this.#repository.versions(name) === undefined) this.#unloaded.add(name);
      }
    }
    const { warnings: known } = this.#wanted;
    this.#wanted = wanted;
    for (const warning of wanted.warnings) if (!known.includes(warning)) this.#logger.warn({}, warning);
    return this.#repository.apply(wanted, { unloaded: this.#unloaded, reloaded: load });
  }
}
