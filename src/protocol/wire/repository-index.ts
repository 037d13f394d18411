interface Status {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

/** Where Triton's name is not that of ours. */
const STATES: Readonly<Record<string, string>> = { unloaded: 'UNAVAILABLE' };

/** The entries of a repository index (Triton's model repository extension), states in capitals. */
export function repositoryIndex(servables: readonly Status[], onlyReady: boolean): Status[] {
  return servables
    .filter(({ state }) => !onlyReady || state === 'ready')
    .map(({ name, version, state, reason }) => ({
      name,
      version,
      state: STATES[state] ?? state.toUpperCase(),
      reason,
    }));
}
