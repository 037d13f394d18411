import { resolve } from 'node:path';
import { Closer } from '../base/closer.ts';
import type { Logger } from '../base/logger.ts';
import { builtinCalculators } from '../calculators/index.ts';
import { CalculatorRegistry, type ValidatedGraph } from '../graph/index.ts';
import { GraphScripts } from '../host/graph/graph-scripts.ts';
import { loadUserCalculators } from '../host/graph/user-calculators.ts';
import { MODEL_SERVICE } from '../runtime/model-service.ts';
import { SCRIPT_SERVICE } from '../runtime/script/script-service.ts';
import { newModules } from '../runtime/script/user-modules.ts';
import { loadModels, type ModelFile } from './models.ts';

/** What the nodes of a graph ask for by name; disposing closes it. */
export interface GraphServices extends AsyncDisposable {
  readonly services: ReadonlyMap<string, unknown>;
}

/** Calculators of ours and of users' modules, and the latters' status handlers. @param modules absolute paths */
export async function registryWith(modules: readonly string[]): Promise<CalculatorRegistry> {
  const { calculators, statusHandlers } = await loadUserCalculators(modules, newModules());
  return new CalculatorRegistry([...builtinCalculators, ...calculators], statusHandlers);
}

/** Whether a graph runs models. */
export function usesModels(graph: ValidatedGraph): boolean {
  return graph.services.has(MODEL_SERVICE);
}

/**
 * Loads the models and the scripts that a graph names.
 * @throws MillraceError MODEL_INVALID or GRAPH_INVALID
 */
export async function openServices(
  graph: ValidatedGraph,
  graphPath: string,
  models: readonly ModelFile[],
  logger: Logger,
): Promise<GraphServices> {
  await using opened = new Closer();
  const loaded = opened.use(await loadModels(graph, models, logger));
  const scripts = await GraphScripts.load(graph, {
    graphPath: resolve(graphPath),
    importModule: newModules(),
    loadTimeoutMs: 0,
    callDeadlineMs: 0,
    logger,
  });
  if (scripts !== undefined) opened.defer(() => scripts.close());
  const closer = opened.move();
  const services = new Map<string, unknown>([[MODEL_SERVICE, loaded.service]]);
  if (scripts !== undefined) {
    services.set(
      SCRIPT_SERVICE,
      scripts.service({}, () => undefined),
    );
  }
  return {
    services,
    [Symbol.asyncDispose]: () => closer[Symbol.asyncDispose](),
  };
}
