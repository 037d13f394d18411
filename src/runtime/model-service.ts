import type { ModelSession } from './model-session.ts';

/** The loaded models that a graph may use, as the service "models" of its runs. */
export interface ModelService {
  /**
   * A model session, owned by the service: the graph does not close it. It stays open for the life of the graph run.
   * @param version "" for the default version
   * @throws MillraceError SERVABLE_NOT_FOUND, VERSION_NOT_FOUND or SERVABLE_NOT_READY
   */
  session(name: string, version: string): ModelSession;
}

/** The name under which runs of graphs find their {@link ModelService}. */
export const MODEL_SERVICE = 'models';
