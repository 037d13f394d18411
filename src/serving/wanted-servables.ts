import { MillraceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { HeldOverrides, type LoadOverride } from './load-override.ts';
import type { ModelRepository } from './repository.ts';
import { unknownServable } from './servable-faults.ts';
import type { LoadedServables, Overrides } from './servable-spec.ts';

export interface WantedServablesOptions {
  /** Reads the configuration, with what clients gave in the place of files. */
  readonly loadServables: (overrides: Overrides) => Promise<LoadedServables>;
  /** Whether a servable loads as it is found; else only when a client asks for it. Default: all do. */
  readonly loadsAtOnce?: ((name: string) => boolean) | undefined;
  /** Clients may neither load nor unload. Default false. */
  readonly isFixed?: boolean | undefined;
  /** Whether a load may bring a configuration and files of its own. Default false. */
  readonly takesOverrides?: boolean | undefined;
}

/** What should be served: what the configuration says, without what clients unloaded. One change after another. */
export class WantedServables implements AsyncDisposable {
  readonly #options: WantedServablesOptions;
  readonly #repository: ModelRepository;
  readonly #logger: Logger;
  /** The last change; the next waits for it, lest an older configuration is applied after a newer one. */
  #applied: Promise<unknown> = Promise.resolve();
  /** The last load with an override, or of what has one: the next waits until it is known whether that holds. */
  #overridden: Promise<unknown> = Promise.resolve();
  /** Names that a client unloaded. */
  readonly #unloaded = new Set<string>();
  readonly #overrides = new HeldOverrides();
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
  async load(name: string, given?: LoadOverride, checkModel?: CheckModel): Promise<void> {
    if (this.#options.isFixed === true) throw fixed();
    if (given !== undefined && this.#options.takesOverrides !== true) throw overridesRefused();
    if (given === undefined && !this.#overrides.all.has(name))
      return this.#load(name, this.#checkLoad(false, checkModel));
    const check = this.#checkLoad(given !== undefined, checkModel);
    const loaded = this.#overridden.then(() => this.#loadInstead(name, given, check));
    this.#overridden = loaded.catch(() => {});
    return loaded;
  }

  /** As {@link DataPlane.unload}. */
  async unload(name: string, checkModel?: CheckModel): Promise<void> {
    if (this.#options.isFixed === true) throw fixed();
    const dropped = await this.#next(async () => {
      const known = this.#repository.entries().map((entry) => entry.name);
      if (!known.includes(name)) throw unknownServable(name, known);
      const models = checkModel === undefined ? [] : this.#modelsOf(name, this.#wanted);
      for (const model of models) checkModel?.(model);
      for (const each of [name, ...models]) this.#unloaded.add(each);
      this.#repository.apply(this.#wanted, { unloaded: this.#unloaded });
      const override = this.#overrides.all.get(name);
      this.#overrides.set(name, undefined);
      return override;
    });
    await this.#overrides.drop(dropped);
  }

  /** Removes the files that clients brought; nothing is to be loaded any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#overrides[Symbol.asyncDispose]();
  }

  /** Steps that were there and loaded need no leave, unless the client chose them itself. */
  #checkLoad(isChosen: boolean, checkModel: CheckModel | undefined): CheckModel {
    return (model) => {
      if (isChosen || this.#unloaded.has(model)) checkModel?.(model);
    };
  }

  async #load(name: string, checkModel: CheckModel): Promise<void> {
    await this.#next(() => this.#read(name, checkModel));
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

  /**
   * Loads it as `given` says; without, as it was: with the configuration that a client gave, but with its own files (as seen on a live
   * Triton). Where that fails, what it was made of before counts again.
   */
  async #loadInstead(name: string, given: LoadOverride | undefined, checkModel: CheckModel): Promise<void> {
    const before = this.#overrides.all.get(name);
    if (given === undefined && before?.folder === undefined) return this.#load(name, checkModel);
    const wasUnloaded = this.#unloaded.has(name);
    const override = given && (await this.#overrides.write(name, given));
    this.#overrides.set(name, override);
    try {
      await this.#load(name, checkModel);
    } catch (error) {
      await this.#next(() => {
        // It may have been unloaded meanwhile, which ends an override.
        if (this.#overrides.all.get(name) === override) this.#overrides.set(name, before);
        if (wasUnloaded) this.#unloaded.add(name);
        return this.#read();
      }).catch(() => {});
      await this.#overrides.drop(override);
      throw error;
    }
    await this.#overrides.drop(before);
  }

  /** The models of an ensemble's steps. */
  #modelsOf(name: string, { specs }: LoadedServables): string[] {
    return specs.flatMap((spec) =>
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
  async #read(load?: string, checkModel?: CheckModel): Promise<boolean> {
    const wanted = await this.#options.loadServables(this.#overrides.all);
    const names = new Set([...wanted.specs, ...wanted.broken].map(({ name }) => name));
    if (load !== undefined) {
      if (!names.has(load)) throw unknownServable(load, [...names]);
      const models = this.#modelsOf(load, wanted);
      for (const model of models) checkModel?.(model);
      for (const each of [load, ...models]) this.#unloaded.delete(each);
    }
    this.#leaveOthers(wanted, names, load);
    const { warnings: known } = this.#wanted;
    this.#wanted = wanted;
    for (const warning of wanted.warnings) if (!known.includes(warning)) this.#logger.warn({}, warning);
    return this.#repository.apply(wanted, { unloaded: this.#unloaded, reloaded: load });
  }

  /** Servables that are new and that nobody has asked for stay away; an ensemble asks for the models of its steps. */
  #leaveOthers(wanted: LoadedServables, names: ReadonlySet<string>, load: string | undefined): void {
    const { loadsAtOnce } = this.#options;
    if (loadsAtOnce === undefined) return;
    const asked = [...names].filter((name) => name === load || loadsAtOnce(name));
    const kept = new Set([...asked, ...asked.flatMap((name) => this.#modelsOf(name, wanted))]);
    for (const name of names) {
      if (!kept.has(name) && this.#repository.versions(name) === undefined) this.#unloaded.add(name);
    }
  }
}

/** Throws what keeps a model from being loaded or unloaded with its ensemble. */
type CheckModel = (model: string) => void;

/** Triton's text, as seen on a live one in its mode `none`. */
function fixed(): MillraceError {
  return new MillraceError(
    'NOT_SUPPORTED',
    'explicit model load / unload is not allowed if polling is enabled, nor with --model_control_mode none, as here; start with explicit or poll',
    { code: 'UNAVAILABLE' },
  );
}

function overridesRefused(): MillraceError {
  return new MillraceError(
    'NOT_SUPPORTED',
    "load parameters 'config' and 'file:' need --model_repository and --model_control_mode explicit: else models are loaded as their files say; change those and load the model again",
    { details: { parameter: 'config' } },
  );
}
