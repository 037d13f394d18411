import { MillraceError } from '../base/errors.ts';
import type { ServableDescription } from '../ipc/description.ts';
import type { ServableMetadata, ServableStatistics } from './data-plane.ts';
import type { Question } from './questions.ts';
import type { Entry, ModelRepository } from './repository.ts';
import type { Telemetry } from './telemetry.ts';

/** What is known of servables: their metadata and statistics. */
export class ServableInformation {
  readonly #repository: ModelRepository;
  readonly #telemetry: Telemetry;
  /** Metadata of one version alone: requests of MLServer's clients ask for it each time. */
  readonly #told = new WeakMap<ServableDescription, ServableMetadata>();

  constructor(repository: ModelRepository, telemetry: Telemetry) {
    this.#repository = repository;
    this.#telemetry = telemetry;
  }

  /** @throws MillraceError as of `DataPlane.metadata` */
  metadata(name: string, version: string): ServableMetadata {
    const entry = this.#repository.resolve(name, version);
    const description = entry.current?.description;
    if (description === undefined)
      throw new MillraceError('INTERNAL', `servable "${name}" is ready without a description`);
    const isAlone = version !== '' || this.#repository.versionCount(name) === 1;
    const known = isAlone ? this.#told.get(description) : undefined;
    if (known !== undefined) return known;
    const { platform, decoupled, answersEach, inputs, outputs, declaredVersions, parameters, graph } = description;
    const versions =
      version === '' ? (this.#repository.versions(name) ?? []).filter((v) => v.current?.isReady) : [entry];
    const { kind } = entry;
    const numbers = versions.map((v) => v.version).filter((v) => v !== '');
    const told = { name, versions: numbers, platform, kind, decoupled, inputs, outputs, declaredVersions, parameters };
    const metadata = { ...told, answersEach, graph, config: entry.current?.spec.config };
    if (isAlone) this.#told.set(description, metadata);
    return metadata;
  }

  /** @throws MillraceError as of `DataPlane.statistics` */
  statistics(name: string, version: string): readonly ServableStatistics[] {
    const loaded = (entry: Entry): boolean => !entry.isUnloaded;
    const told = (entry: Entry): ServableStatistics => this.#telemetry.of(entry).statistics();
    if (name === '') return this.#repository.entries().filter(loaded).map(told);
    const versions = this.#repository.versions(name)?.filter(loaded) ?? [];
    if (versions.length === 0) {
      throw new MillraceError('SERVABLE_NOT_FOUND', `requested model '${name}' is not available`, {
        code: 'INVALID_ARGUMENT',
      });
    }
    const wanted = versions.filter((entry) => version === '' || entry.version === version);
    if (wanted.length === 0) {
      throw new MillraceError('VERSION_NOT_FOUND', `requested model version is not available for model '${name}'`, {
        code: 'INVALID_ARGUMENT',
      });
    }
    return wanted.map(told);
  }

  /** Counts a question about a servable, answered or not (OVMS sheet §7). */
  countQuestion({ method, name, version, via }: Question, isAnswered: boolean): void {
    const versions = this.#repository.versions(name) ?? [];
    const isDefault = version === '' || versions.every(({ kind }) => kind === 'graph');
    const entry = isDefault
      ? (versions.findLast((each) => each.current?.isReady) ?? versions.at(-1))
      : versions.find((each) => each.version === version);
    if (entry !== undefined) this.#telemetry.of(entry).asked(method, via, isAnswered);
  }
}
