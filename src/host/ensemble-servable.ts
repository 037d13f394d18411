import type { Cancellation } from '../base/cancellation.ts';
import { messageOf, MillraceError } from '../base/errors.ts';
import { builtinCalculators } from '../calculators/index.ts';
import {
  CalculatorRegistry,
  describeValidatedGraph,
  parseGraphConfig,
  validateGraph,
  type ValidatedGraph,
} from '../graph/index.ts';
import type { HostSession, SessionOutput } from '../ipc/host-handler.ts';
import type { ServableDescription } from '../ipc/description.ts';
import { checkBatch } from '../runtime/check-batch.ts';
import { checkInputs } from '../runtime/check-inputs.ts';
import type { ModelSession, RunCaller } from '../runtime/model-session.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import {
  createProgram,
  createRun,
  pushPackets,
  startRun,
  type GraphProgram,
  type TakeModels,
} from './graph/graph-program.ts';
import type { EnsembleLoad } from './host-spec.ts';
import { Lease } from './lease.ts';
import { ModelStream } from './model-servable.ts';
import { callerOf } from './run-caller.ts';
import { checkRequestedOutputs, selectOutputs } from './requested-outputs.ts';
import type { HostServable } from './servable.ts';

/**
 * A graph of inferences that serves as a model does: each request is one inference, with Triton's texts.
 * @throws MillraceError SERVABLE_NOT_READY where one of its models is not loaded
 */
export function loadEnsemble(spec: EnsembleLoad, takeModels: TakeModels): HostServable {
  const { models, release } = takeModels();
  try {
    for (const { name, version } of spec.models) {
      try {
        refuseDecoupled(spec.name, models.session(name, version));
      } catch (error) {
        throw error instanceof MillraceError && error.reason === 'NOT_SUPPORTED'
          ? error
          : missingModel(spec.name, name, version, error);
      }
    }
  } finally {
    release();
  }
  return new EnsembleServable(spec, takeModels);
}

/** One run of the graph gives one response. */
function refuseDecoupled(ensemble: string, { name, step }: ModelSession): void {
  if (step?.decoupled !== true) return;
  throw new MillraceError(
    'NOT_SUPPORTED',
    `ensemble '${ensemble}': step '${name}' is a ${step.kind} that may give any number of responses, one that answers each request once expected; write the whole as a graph`,
    { details: { servable: ensemble, model: name } },
  );
}

/** Triton's texts, as seen on a live one. */
function missingModel(ensemble: string, name: string, version: string, cause: unknown): MillraceError {
  const what = version === '' ? 'which has no loaded version' : `whose required version ${version} is not loaded`;
  return new MillraceError('SERVABLE_NOT_READY', `ensemble '${ensemble}' depends on '${name}' ${what}.`, {
    details: { servable: ensemble, model: name, version },
    cause,
  });
}

class EnsembleServable implements HostServable {
  readonly description: ServableDescription;
  readonly #spec: EnsembleLoad;
  readonly #program: GraphProgram;

  constructor(spec: EnsembleLoad, takeModels: TakeModels) {
    const graph = graphOf(spec);
    const { inputs, outputs } = spec.signature;
    this.#spec = spec;
    this.#program = programOf(spec, graph, takeModels);
    this.description = {
      platform: 'ensemble',
      decoupled: false,
      inputs,
      outputs,
      graph: describeValidatedGraph(graph),
      models: [...new Set(spec.models.map(({ name }) => name))],
    };
  }

  async infer(request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    const { name, version, signature } = this.#spec;
    checkBatch(name, signature.maxBatchSize, request.inputs, request.id);
    checkInputs(name, signature.inputs, request.inputs, request.id, signature.maxBatchSize > 0);
    checkRequestedOutputs(request, signature.outputs);
    const outputs = await this.#run(request, cancellation);
    return { servable: name, version, id: request.id, outputs: selectOutputs(request, outputs) };
  }

  open(_first: InferenceRequest, output: SessionOutput): HostSession {
    return new ModelStream(this, output);
  }

  close(): Promise<void> {
    return this.#program.shared.retire();
  }

  /** What the request says beside its tensors goes with it to every step. */
  #programFor(request: InferenceRequest, cancellation: Cancellation): GraphProgram {
    const { parameters, headers } = request;
    const { requestId, priority, timeoutUs } = callerOf(request, cancellation);
    const caller: RunCaller = { requestId, priority, timeoutUs, parameters, headers };
    const takeModels: TakeModels = () => {
      const { models, release } = this.#program.takeModels();
      return { models: { session: (...of) => new StepSession(models.session(...of), caller) }, release };
    };
    return { ...this.#program, takeModels };
  }

  /** One run of the graph, on one packet for each of its inputs. */
  async #run(request: InferenceRequest, cancellation: Cancellation): Promise<Tensor[]> {
    const { name, streams, signature } = this.#spec;
    const { run, release } = createRun(this.#programFor(request, cancellation), {
      first: undefined,
      at: () => undefined,
    });
    const results = new Map<string, Tensor>();
    for (const output of signature.outputs) {
      run.observe(streams[output.name] ?? '', ({ value }) => results.set(output.name, value as Tensor));
    }
    const forget = cancellation.onCancel((error) => run.cancel(error));
    try {
      startRun(run, undefined);
      const packets = request.inputs.map((tensor) => ({ stream: streams[tensor.name] ?? '', value: tensor }));
      pushPackets(run, packets, 0n);
      run.closeAllPacketSources();
      await run.waitUntilDone();
    } catch (error) {
      throw cancellation.error ?? failure(name, error);
    } finally {
      forget();
      release();
    }
    return signature.outputs.flatMap((output) => {
      const result = results.get(output.name);
      return result === undefined ? [] : [{ ...result, name: output.name }];
    });
  }
}

/** A model as one request to an ensemble runs it. */
class StepSession implements ModelSession {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  readonly step: ModelSession['step'];
  readonly #session: ModelSession;
  readonly #caller: RunCaller;

  constructor(session: ModelSession, caller: RunCaller) {
    this.name = session.name;
    this.version = session.version;
    this.inputs = session.inputs;
    this.outputs = session.outputs;
    this.provider = session.provider;
    this.step = session.step;
    this.#session = session;
    this.#caller = caller;
  }

  run(inputs: readonly Tensor[], isWanted?: () => boolean, caller?: RunCaller): Promise<Tensor[]> {
    return this.#session.run(inputs, isWanted, { ...this.#caller, ...caller });
  }

  /** The session is the host's. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function graphOf({ name, graphText }: EnsembleLoad): ValidatedGraph {
  try {
    return validateGraph(parseGraphConfig(graphText, name), new CalculatorRegistry(builtinCalculators));
  } catch (error) {
    throw new MillraceError('GRAPH_INVALID', messageOf(error), { details: { servable: name }, cause: error });
  }
}

function programOf({ name, version }: EnsembleLoad, graph: ValidatedGraph, takeModels: TakeModels): GraphProgram {
  const quota = { maxInFlightRequests: 0, maxQueuedPackets: 0 };
  const shared = new Lease({ close: () => Promise.resolve() }, () => {});
  return createProgram(
    { name, version, graph, automaticTimestamps: 'request', newestInputs: new Set(), quota, takeModels, shared },
    graph.inputStreams.map((port) => ({ name: port.name, form: 'tensor', type: port.type })),
    graph.outputStreams.map((port) => ({ name: port.name, form: 'tensor' })),
  );
}

/** The fault of the step that failed, as Triton tells it; one fails the whole. */
function failure(ensemble: string, error: unknown): MillraceError {
  let cause: unknown = error;
  while (cause instanceof Error && !(cause instanceof MillraceError) && cause.cause !== undefined) cause = cause.cause;
  const { reason, message } = cause instanceof MillraceError ? cause : MillraceError.from(error);
  return new MillraceError(reason, `in ensemble '${ensemble}', ${message}`, { details: { servable: ensemble }, cause });
}
