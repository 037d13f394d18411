import type { Cancellation } from '../../base/cancellation.ts';
import { messageOf, MillraceError } from '../../base/errors.ts';
import { builtinCalculators } from '../../calculators/index.ts';
import {
  CalculatorRegistry,
  describeValidatedGraph,
  parseGraphConfig,
  validateGraph,
  type ValidatedGraph,
} from '../../graph/index.ts';
import type { ServableDescription } from '../../ipc/description.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import { checkBatch } from '../../runtime/check-batch.ts';
import { checkInputs } from '../../runtime/check-inputs.ts';
import type { RunCaller } from '../../runtime/model-session.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { TakeModels } from '../graph/graph-program.ts';
import type { EnsembleLoad } from '../host-spec.ts';
import { ModelStream } from '../model-servable.ts';
import { checkRequestedOutputs, selectOutputs } from '../requested-outputs.ts';
import { callerOf } from '../run-caller.ts';
import type { HostServable } from '../servable.ts';
import { EnsembleStream, type ManyAnswers } from './ensemble-stream.ts';
import { Flow, type Answer, type Values } from './flow.ts';
import { planLevels, type Level } from './plan.ts';

/**
 * Models that are joined by their tensors and serve as one, with Triton's texts: each request runs every step once, or, behind a
 * step that answers more than once, once for each of its responses.
 * @throws MillraceError SERVABLE_NOT_READY where one of its models is not loaded, CONFIG_INVALID
 */
export function loadEnsemble(spec: EnsembleLoad, takeModels: TakeModels): HostServable {
  const graph = graphOf(spec);
  const { models, release } = takeModels();
  try {
    const isDecoupled = spec.steps.map(({ model, version }) => {
      try {
        return models.session(model, version).step?.decoupled === true;
      } catch (error) {
        throw missingModel(spec.name, model, version, error);
      }
    });
    const level = planLevels(spec, (step) => isDecoupled[step] === true);
    return new EnsembleServable(spec, { graph, level, decoupled: isDecoupled.includes(true) }, takeModels);
  } finally {
    release();
  }
}

/** Triton's texts, as seen on a live one. */
function missingModel(ensemble: string, name: string, version: string, cause: unknown): MillraceError {
  const what = version === '' ? 'which has no loaded version' : `whose required version ${version} is not loaded`;
  return new MillraceError('SERVABLE_NOT_READY', `ensemble '${ensemble}' depends on '${name}' ${what}.`, {
    details: { servable: ensemble, model: name, version },
    cause,
  });
}

interface Plan {
  readonly graph: ValidatedGraph;
  readonly level: Level;
  readonly decoupled: boolean;
}

class EnsembleServable implements HostServable, ManyAnswers {
  readonly description: ServableDescription;
  readonly #spec: EnsembleLoad;
  readonly #level: Level;
  readonly #takeModels: TakeModels;

  constructor(spec: EnsembleLoad, { graph, level, decoupled }: Plan, takeModels: TakeModels) {
    const { inputs, outputs } = spec.signature;
    this.#spec = spec;
    this.#level = level;
    this.#takeModels = takeModels;
    this.description = {
      platform: 'ensemble',
      decoupled,
      inputs,
      outputs,
      graph: describeValidatedGraph(graph),
      models: [...new Set(spec.models.map(({ name }) => name))],
    };
  }

  async infer(request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    let outputs: readonly Tensor[] = [];
    await this.#run(request, cancellation, (values) => void (outputs = this.#outputs(values)));
    return this.#response(request, outputs);
  }

  stream(
    request: InferenceRequest,
    cancellation: Cancellation,
    respond: (response: InferenceResponse) => Promise<void>,
  ): Promise<void> {
    return this.#run(request, cancellation, (values) => respond(this.#response(request, this.#outputs(values))));
  }

  final(request: InferenceRequest): InferenceResponse {
    const { name: servable } = this.#spec;
    return { servable, version: '', id: request.id, outputs: [], parameters: { triton_final_response: true } };
  }

  open(_first: InferenceRequest, output: SessionOutput): HostSession {
    return this.description.decoupled ? new EnsembleStream(this, output) : new ModelStream(this, output);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #response(request: InferenceRequest, outputs: readonly Tensor[]): InferenceResponse {
    const { name: servable, version } = this.#spec;
    return { servable, version, id: request.id, outputs: selectOutputs(request, outputs) };
  }

  #outputs(values: Values): Tensor[] {
    const { signature, streams } = this.#spec;
    return signature.outputs.flatMap(({ name }) => {
      const value = values.get(streams[name] ?? '');
      return value === undefined ? [] : [{ ...value, name }];
    });
  }

  /** Models are given back when no step runs any more, which may be after this has thrown what cancelled it. */
  async #run(request: InferenceRequest, cancellation: Cancellation, answer: Answer): Promise<void> {
    const { name, signature, steps, streams } = this.#spec;
    checkBatch(name, signature.maxBatchSize, request.inputs, request.id);
    checkInputs(name, signature.inputs, request.inputs, request.id, signature.maxBatchSize > 0);
    checkRequestedOutputs(request, signature.outputs);
    const caller = wholeCallerOf(request, cancellation);
    const { models, release } = this.#takeModels();
    let running: Promise<void>;
    try {
      const sessions = steps.map(({ model, version }) => models.session(model, version));
      const inputs = new Map(request.inputs.map((tensor) => [streams[tensor.name] ?? '', tensor]));
      running = new Flow({ steps, sessions, caller, cancellation }).run(this.#level, inputs, answer);
    } catch (error) {
      release();
      throw failure(name, error);
    }
    const ended = running.finally(release);
    try {
      await unlessCancelled(ended, cancellation);
    } catch (error) {
      throw cancellation.error ?? failure(name, error);
    }
  }
}

/** What the request says beside its tensors goes with it to every step. */
function wholeCallerOf(request: InferenceRequest, cancellation: Cancellation): RunCaller {
  const { parameters, headers } = request;
  const { requestId, priority, timeoutUs } = callerOf(request, cancellation);
  return { requestId, priority, timeoutUs, parameters, headers };
}

async function unlessCancelled(work: Promise<void>, cancellation: Cancellation): Promise<void> {
  let forget = (): void => {};
  const cancelled = new Promise<never>((_, reject) => (forget = cancellation.onCancel(reject)));
  try {
    await Promise.race([work, cancelled]);
  } finally {
    forget();
    work.catch(() => {});
    cancelled.catch(() => {});
  }
}

function graphOf({ name, graphText }: EnsembleLoad): ValidatedGraph {
  try {
    return validateGraph(parseGraphConfig(graphText, name), new CalculatorRegistry(builtinCalculators));
  } catch (error) {
    throw new MillraceError('GRAPH_INVALID', messageOf(error), { details: { servable: name }, cause: error });
  }
}

/** The fault of the step that failed, as Triton tells it; one fails the whole. */
function failure(ensemble: string, error: unknown): MillraceError {
  const cause = MillraceError.from(error);
  const { reason, message } = cause;
  return new MillraceError(reason, `in ensemble '${ensemble}', ${message}`, { details: { servable: ensemble }, cause });
}
