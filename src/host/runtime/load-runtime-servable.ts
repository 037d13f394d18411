import { dirname, isAbsolute, resolve } from 'node:path';
import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { settledWithin } from '../../base/settled-within.ts';
import type { RuntimeMeter, RuntimeModel } from '../../runtime/script/define-runtime.ts';
import { loadRuntime } from '../../runtime/script/load-runtime.ts';
import type { RuntimeLoad } from '../host-spec.ts';
import { RuntimeServable } from '../runtime-servable.ts';
import type { Turns } from './turns.ts';

export interface LoadParts {
  readonly logger: Logger;
  readonly meter: RuntimeMeter;
  readonly turns: Turns;
  /** Responses that a stream may make before it is known that its client reads them. */
  readonly lookAhead: number;
}

/**
 * Imports a runtime's module, makes its instance and calls its `load`.
 * @param life cancelled when the servable is unloaded: a load under way is then given up
 * @throws MillraceError MODEL_INVALID, also when all that takes longer than `loadTimeoutMs`; what loads later is closed
 */
export async function loadRuntimeServable(
  spec: RuntimeLoad,
  { logger, meter, turns, lookAhead }: LoadParts,
  life: Cancellation,
): Promise<RuntimeServable> {
  const { name, version, parameters, loadTimeoutMs = 0 } = spec;
  const settings = spec.modelSettings ?? { name, parameters };
  const model: RuntimeModel = { name, version, settings };
  const load = async (): Promise<RuntimeServable> => {
    const definition = await loadRuntime(spec.module, spec.export, settings);
    const context = { logger, meter, parameters, model, uri: uriOf(spec) };
    const { callDeadlineMs = 0, declared } = spec;
    const isBatched = spec.batching !== undefined;
    return RuntimeServable.load({ definition, context, turns, lookAhead, callDeadlineMs, declared, isBatched }, life);
  };
  const loading = load();
  try {
    return await settledWithin(orGivenUp(loading, life), loadTimeoutMs, () => {
      const text = `runtime '${name}' did not load within ${loadTimeoutMs} ms (load_timeout_ms): its module or its load awaits what does not settle`;
      return new MillraceError('MODEL_INVALID', text, { details: { servable: name, limit: loadTimeoutMs } });
    });
  } catch (error) {
    life.cancel(MillraceError.from(error));
    loading.then(
      (late) => late.close(),
      () => {},
    );
    throw error;
  }
}

function orGivenUp<T>(loading: Promise<T>, life: Cancellation): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = life.onCancel(reject);
    loading.then(resolve, reject).finally(forget);
  });
}

/** MLServer's `parameters.uri`, else the folder of the module. */
function uriOf({ module, modelSettings }: RuntimeLoad): string {
  const { uri } = (modelSettings?.['parameters'] ?? {}) as { uri?: unknown };
  const folder = dirname(module);
  if (typeof uri !== 'string' || uri === '') return folder;
  return isAbsolute(uri) || uri.includes('://') ? uri : resolve(folder, uri);
}
