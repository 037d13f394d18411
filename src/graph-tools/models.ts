import { MillraceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Closer } from '../base/closer.ts';
import { usableProcessors } from '../base/processors.ts';
import type { ValidatedGraph } from '../graph/index.ts';
import { backendFor } from '../runtime/index.ts';
import { modelThreads } from '../runtime/model-threads.ts';
import type { ModelService } from '../runtime/model-service.ts';
import type { ModelOptions, ModelSession } from '../runtime/model-session.ts';

/** A model that a graph may name; more of its options may be there, and are passed on. */
export type ModelFile = Omit<ModelOptions, 'intraOpThreads'> & { readonly intraOpThreads?: number | undefined };

/** The models that a graph uses, loaded; disposing closes them. */
export interface LoadedModels extends AsyncDisposable {
  readonly service: ModelService;
}

/**
 * Loads those of `models` that the graph's nodes name in their options.
 * @throws MillraceError MODEL_INVALID
 */
export async function loadModels(
  graph: ValidatedGraph,
  models: readonly ModelFile[],
  logger: Logger,
): Promise<LoadedModels> {
  const named = new Set(graph.nodes.flatMap(({ options }) => textsIn(options)));
  await using opened = new Closer();
  const sessions: ModelSession[] = [];
  const monitor = { runStarted: () => {}, runEnded: () => {} };
  for (const model of models) {
    if (!named.has(model.name)) continue;
    const options = { ...model, ...modelThreads(model.intraOpThreads, usableProcessors()) };
    sessions.push(opened.use(await backendFor(model.path).load(options, monitor, logger)));
  }
  const closer = opened.move();
  return {
    service: { session: (name, version) => sessionOf(sessions, models, name, version) },
    [Symbol.asyncDispose]: () => closer[Symbol.asyncDispose](),
  };
}

/** @param version "" and "0" ask for the highest */
function sessionOf(
  sessions: readonly ModelSession[],
  models: readonly ModelFile[],
  name: string,
  version: string,
): ModelSession {
  const isAny = version === '' || version === '0';
  const session = sessions
    .filter((candidate) => candidate.name === name && (isAny || candidate.version === version))
    .toSorted((a, b) => Number(a.version) - Number(b.version))
    .at(-1);
  if (session !== undefined) return session;
  const which = isAny ? `"${name}"` : `"${name}" version ${version}`;
  const names = [...new Set(models.map((model) => model.name))].join(', ') || 'none';
  throw new MillraceError(
    'SERVABLE_NOT_FOUND',
    `no model ${which} in the configuration, which has ${names}; name a configuration with --config_path`,
    { code: 'FAILED_PRECONDITION', details: { model: name } },
  );
}

/** Every text in an option value, however deep. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
