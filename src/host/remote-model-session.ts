import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { ModelSession, RunCaller } from '../runtime/model-session.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { SessionPort, SessionSink } from '../ipc/session.ts';
import type { Parameters } from '../tensor/parameters.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import type { RemoteModelLoad, StepTraits } from './host-spec.ts';
import { answersOf } from './step-answers.ts';

/** The way to a model of another host, through the front. */
export interface RemoteModels {
  infer(loadId: number, request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse>;
  openSession(loadId: number, first: InferenceRequest, sink: SessionSink): SessionPort;
  /** Nothing here uses it any more. */
  released(loadId: number): void;
}

/** A model, or the step of an ensemble, that another host has loaded: its runs go there and back through the front. */
export class RemoteModelSession implements ModelSession {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  readonly step: StepTraits | undefined;
  readonly #loadId: number;
  readonly #models: RemoteModels;

  constructor(
    loadId: number,
    { name, version, inputs, outputs, provider, step }: RemoteModelLoad,
    models: RemoteModels,
  ) {
    this.#loadId = loadId;
    this.name = name;
    this.version = version;
    this.inputs = inputs;
    this.outputs = outputs;
    this.provider = provider ?? '';
    this.step = step;
    this.#models = models;
  }

  async run(
    inputs: readonly Tensor[],
    isWanted: () => boolean = () => true,
    caller: RunCaller = {},
  ): Promise<Tensor[]> {
    const cancellation = new Cancellation();
    const cancel = (): void => {
      cancellation.cancel(new MillraceError('CANCELLED', 'nobody waits for the result of the run any more'));
    };
    if (!isWanted()) cancel();
    const signal = caller.signal?.();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const { name: servable, version } = this;
      const said = this.step === undefined ? { parameters: parametersOf(caller) } : wholeOf(caller);
      const request = { servable, version, id: caller.requestId ?? '', inputs, ...said };
      const response = await this.#models.infer(this.#loadId, { ...request, outputs: [] }, cancellation);
      return [...response.outputs];
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  stream(inputs: readonly Tensor[], caller: RunCaller = {}): AsyncIterable<readonly Tensor[]> {
    const { name: servable, version } = this;
    const { parameters, headers } = wholeOf(caller);
    const said = parameters && Object.fromEntries(Object.entries(parameters).filter(([name]) => name !== EMPTY_FINAL));
    const request = { servable, version, id: caller.requestId ?? '', inputs, outputs: [], parameters: said, headers };
    const open = (sink: SessionSink): SessionPort => this.#models.openSession(this.#loadId, request, sink);
    return answersOf(request, open, caller.signal?.());
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#models.released(this.#loadId);
    return Promise.resolve();
  }
}

/** Asked of the ensemble, not of its steps. */
const EMPTY_FINAL = 'triton_enable_empty_final_response';

function parametersOf({ priority, timeoutUs }: RunCaller): Parameters | undefined {
  if (priority === undefined && timeoutUs === undefined) return undefined;
  return {
    ...(priority === undefined ? {} : { priority: BigInt(priority) }),
    ...(timeoutUs === undefined ? {} : { timeout: BigInt(timeoutUs) }),
  };
}

function wholeOf({ parameters, headers }: RunCaller): Pick<InferenceRequest, 'parameters' | 'headers'> {
  return { ...(parameters === undefined ? {} : { parameters }), ...(headers === undefined ? {} : { headers }) };
}
