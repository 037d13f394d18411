import type { ModelRepository } from './repository.ts';

/** How long a request waits for a graph that is loading (OVMS sheet §1.2). */
const LOADING_WAIT_MS = 500;

/**
 * Undefined where there is nothing to wait for: it is ready, it has failed, or it is no graph. Else it resolves when the graph
 * is not loading any more, after half a second at the latest.
 */
export function graphToCome(repository: ModelRepository, name: string): Promise<void> | undefined {
  const versions = repository.versions(name) ?? [];
  if (versions.some((entry) => entry.kind !== 'graph' || entry.current?.isReady === true)) return undefined;
  if (!repository.mayCome(name)) return undefined;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LOADING_WAIT_MS);
  });
  return Promise.race([repository.settled(name), limit]).finally(() => clearTimeout(timer));
}
