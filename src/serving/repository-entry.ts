import type { ServableKind } from './data-plane.ts';
import type { Deployment } from './deployment.ts';

/** One version of a servable: what serves it now, and what is about to. */
export interface Entry {
  readonly name: string;
  readonly version: string;
  readonly kind: ServableKind;
  current: Deployment | undefined;
  /** A newer generation that is loading, or that failed to. */
  next: Deployment | undefined;
  /** Why what should be served now could not be made into a deployment; an earlier one goes on serving. */
  brokenReason: string;
  /** False: another version of the name takes its place, once that is ready. */
  isWanted: boolean;
  /** It was asked to go, and stays listed. */
  isUnloaded: boolean;
}

export function newEntry(name: string, version: string, kind: ServableKind): Entry {
  const isWanted = true;
  return { name, version, kind, current: undefined, next: undefined, brokenReason: '', isWanted, isUnloaded: false };
}

/** It is loading, or will be once a host that was lost is replaced. */
export function mayCome({ current, next }: Entry): boolean {
  const newest = next ?? current;
  return newest !== undefined && (!newest.isSettled || newest.awaitsHost);
}
