import type { Cancellation } from '../../base/cancellation.ts';
import type { Logger } from '../../base/logger.ts';
import type { RuntimeContext, RuntimeMeter, RuntimeModel } from '../../runtime/script/define-runtime.ts';
import type { Headers } from '../../tensor/inference.ts';

/** What all calls of one runtime are given. */
export type SharedContext = Omit<RuntimeContext, 'signal' | 'headers'>;

const NO_HEADERS: Headers = Object.freeze({});

/** What one call is given. A class: its signal is made only when somebody asks for it, which costs more than the rest. */
export class CallContext implements RuntimeContext {
  readonly headers: Headers;
  readonly logger: Logger;
  readonly meter: RuntimeMeter;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly model: RuntimeModel;
  readonly uri: string;
  readonly #cancellation: Cancellation;

  constructor(shared: SharedContext, cancellation: Cancellation, headers: Headers = NO_HEADERS) {
    this.headers = headers;
    this.logger = shared.logger;
    this.meter = shared.meter;
    this.parameters = shared.parameters;
    this.model = shared.model;
    this.uri = shared.uri;
    this.#cancellation = cancellation;
  }

  get signal(): AbortSignal {
    return this.#cancellation.signal;
  }
}
