import { silentLogger } from '../../src/base/logger.ts';
import type { RuntimeContext, RuntimeMeter } from '../../src/runtime/script/define-runtime.ts';

const nothing = (): void => {};

/** A meter whose metrics go nowhere. */
export const silentMeter: RuntimeMeter = {
  counter: () => ({ add: nothing }),
  gauge: () => ({ set: nothing }),
  histogram: () => ({ observe: nothing }),
};

/** What a runtime is given where a test calls it itself. */
export const runtimeContext = (more: Partial<RuntimeContext> = {}): RuntimeContext => ({
  signal: new AbortController().signal,
  headers: {},
  logger: silentLogger,
  meter: silentMeter,
  parameters: {},
  model: { name: 'm', version: '1', settings: {} },
  uri: '/',
  ...more,
});
