interface Status {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

/** The entries of a repository index (Triton's model repository extension), states in capitals. */
export function repositoryIndex(servables: readonly Status[], onlyReady: boolean): Status[] {
  return servables
    .filter(({ state }) => !onlyReady || state === 'ready')
    .map(({ name, version, state, reason }) => ({ name, version, state: state.toUpperCase(), reason }));
}
