import type { ServableKind } from '../data-plane.ts';
import type { BrokenServable, ServableSpec, SessionQuota } from '../servable-spec.ts';

/** Where an entry stands, and what holds for all entries beside it. */
export interface EntryContext {
  /** Folder that relative paths start from. */
  readonly folder: string;
  /** File and JSON path of the entry, as in `config.json: runtimes[0]`. */
  readonly where: string;
  /** For models that do not say; 0: none. */
  readonly runDeadlineMs: number;
  /** For graphs, where they do not say otherwise. */
  readonly quota: SessionQuota;
  /** Modules with users' calculators, for graphs. Absolute paths of files that are there. */
  readonly calculators: readonly string[];
  warn(message: string): void;
}

/** All that came of one entry: the versions of one name. */
export interface EntryResult {
  readonly name: string;
  readonly where: string;
  readonly specs: readonly ServableSpec[];
  readonly broken: readonly BrokenServable[];
  /** To watch besides the files of the specs. */
  readonly files: readonly string[];
}

/** An entry that yields nothing but a reason. */
export function brokenEntry(
  kind: ServableKind,
  name: string,
  where: string,
  reason: string,
  files: readonly string[] = [],
): EntryResult {
  return { name, where, specs: [], broken: [{ name, version: '1', kind, reason: `${where}: ${reason}` }], files };
}
