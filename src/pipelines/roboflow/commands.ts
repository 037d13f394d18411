import { randomUUID } from 'node:crypto';
import { MillraceError } from '../../base/errors.ts';
import { localTime } from '../../media/sinks/results/payload.ts';
import type { FrameResult } from '../../media/sinks/results/result-record.ts';
import { referencesOf, type PipelineRequest } from '../common/pipeline-schema.ts';
import type { Operation } from '../common/states.ts';
import type { WorkflowPlan } from '../common/workflow/plan.ts';
import { Detections, detectionsJson } from '../common/workflow/values.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Owner, PipelineManager } from '../pipeline-manager.ts';
import { failureBody, keyError, RoboflowFailure, toFailure, valueError } from './failure.ts';
import { pipelineOfInitA } from './init-a.ts';
import { initBSchema, pipelineOfInitB } from './init-b.ts';
import { indexingFault, pythonRepr } from './python-text.ts';
import { statusReport } from './status-report.ts';

/** An answer of the stream manager, its keys in their order (sheet §2). */
export interface Envelope {
  readonly request_id: string;
  readonly response: Readonly<Record<string, unknown>>;
  readonly pipeline_id: unknown;
}

/**
 * Whose a command is, from its `api_key`.
 * @throws MillraceError UNAUTHENTICATED, PERMISSION_DENIED
 */
export type OwnerOf = (apiKey: string | undefined) => Owner;

const TYPES = ['list_pipelines', 'init', 'status', 'mute', 'resume', 'terminate', 'consume_result', 'webrtc'] as const;
type CommandType = (typeof TYPES)[number];

/** Roboflow's commands, of generations A and B alike: what a client of either sends is told apart by what it holds. */
export class RoboflowCommands {
  readonly #manager: PipelineManager;

  constructor(manager: PipelineManager) {
    this.#manager = manager;
  }

  /** Never rejects. @param payload whatever the client sent, as JSON */
  async handle(payload: unknown, ownerOf: OwnerOf): Promise<Envelope> {
    const request_id = randomUUID();
    try {
      const { response, pipelineId } = await this.#answer(payload, ownerOf);
      return { request_id, response, pipeline_id: pipelineId };
    } catch (error) {
      return failed(request_id, error);
    }
  }

  async #answer(
    payload: unknown,
    ownerOf: OwnerOf,
  ): Promise<{ response: Readonly<Record<string, unknown>>; pipelineId: string | null }> {
    const fault = indexingFault(payload);
    if (fault !== undefined) throw typeError(fault);
    const command = payload as Readonly<Record<string, unknown>>;
    const type = typeOf(command);
    const apiKey = command['api_key'];
    const owner = ownerOf(typeof apiKey === 'string' && apiKey !== '' ? apiKey : undefined);
    if (type === 'list_pipelines') {
      return { response: { pipelines: this.#manager.listed(owner.leave), status: 'success' }, pipelineId: null };
    }
    if (type === 'init') return { response: { status: 'success' }, pipelineId: await this.#init(command, owner) };
    if (type === 'webrtc') {
      const text =
        'WebRTC is not served: start the pipeline with /inference_pipelines/initialise, then look at /v1/pipelines/{id}/preview.mjpeg and read /v1/pipelines/{id}/events, or send it on with an rtsp or websocket sink';
      throw new RoboflowFailure('invalid_payload', {
        errorClass: 'NotImplementedError',
        errorMessage: text,
        publicMessage: text,
      });
    }
    const pipelineId = idOf(command);
    try {
      return { response: await this.#operate(type, pipelineId, command, owner), pipelineId };
    } catch (error) {
      throw toFailure(error).withPipeline(pipelineId);
    }
  }

  async #init(command: Readonly<Record<string, unknown>>, owner: Owner): Promise<string> {
    const id = randomUUID();
    try {
      const { predictionsQueueSize: size } = this.#manager;
      const pipeline = 'processing_configuration' in command ? parseB(command, size) : pipelineOfInitA(command, size);
      await this.#manager.create(this.#checked(pipeline), { ...owner, keepsFailed: true }, id);
      return id;
    } catch (error) {
      if (!this.#isKnown(id)) this.#manager.noteFailed(id);
      throw toFailure(error).withPipeline(id);
    }
  }

  /** Model ids that are neither a servable nor of the form `project/version` are told apart, as in the original. */
  #checked(pipeline: PipelineRequest): PipelineRequest {
    const { servable } = this.#manager.modelOf(pipeline.model_id);
    if (servable === pipeline.model_id && !this.#manager.hasServable(servable) && !servable.includes('/')) {
      throw new RoboflowFailure('internal_error', {
        errorClass: 'InvalidModelIDError',
        errorMessage: `Model ID: \`${pipeline.model_id}\` is invalid.`,
      });
    }
    return pipeline;
  }

  async #operate(
    type: Exclude<CommandType, 'list_pipelines' | 'init' | 'webrtc'>,
    id: string,
    command: Readonly<Record<string, unknown>>,
    { leave }: Owner,
  ): Promise<Readonly<Record<string, unknown>>> {
    const pipeline = this.#manager.getListed(id, leave);
    if (type === 'terminate') {
      await this.#manager.terminate(id);
      return { status: 'success' };
    }
    if (pipeline.state === 'failed') throw new RoboflowFailure('operation_error');
    switch (type) {
      case 'status':
        return { status: 'success', report: statusReport(pipeline) };
      case 'mute':
      case 'resume':
        await this.#strictly(pipeline, type);
        return { status: 'success' };
      case 'consume_result':
        return { status: 'success', ...this.#consume(pipeline, excludedOf(command)) };
    }
  }

  /** What is so already is an error here (sheet §3). */
  async #strictly(pipeline: Pipeline, operation: Exclude<Operation, 'terminate'>): Promise<void> {
    const refusal = pipeline.refusalOf(operation);
    if ((await pipeline.operate(operation)) === 'already') {
      throw new MillraceError('PIPELINE_STATE', refusal);
    }
  }

  #consume(pipeline: Pipeline, excluded: ReadonlySet<string>): { outputs: unknown[]; frames_metadata: unknown[] } {
    if (pipeline.ring === undefined)
      throw new RoboflowFailure('operation_error', {
        errorMessage: 'the pipeline has no memory sink',
        publicMessage: 'the pipeline has no memory sink',
      });
    const batch = pipeline.consume();
    if (batch === undefined) return { outputs: [], frames_metadata: [] };
    const { workflow } = pipeline.request;
    const sources = referencesOf(pipeline.request).map((_, id) =>
      batch.results.find(({ source_id }) => source_id === id),
    );
    return {
      outputs: sources.map((result) => (result === undefined ? null : outputsOf(result, workflow, excluded))),
      frames_metadata: sources.map((result) => (result === undefined ? null : frameMetadata(result))),
    };
  }

  #isKnown(id: string): boolean {
    return this.#manager.all().some((each) => each.id === id);
  }
}

/** An answer to what was no command at all. */
export function failed(requestId: string, error: unknown): Envelope {
  const failure = toFailure(error);
  const { pipelineId = null } = failure.details;
  return { request_id: requestId, response: failureBody(failure), pipeline_id: pipelineId };
}

function parseB(command: Readonly<Record<string, unknown>>, queueSize: number): PipelineRequest {
  const parsed = initBSchema.safeParse(command);
  if (parsed.success) return pipelineOfInitB(parsed.data, queueSize);
  const [issue] = parsed.error.issues;
  const errorMessage = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
  throw new RoboflowFailure('invalid_payload', {
    errorClass: 'ValidationError',
    errorMessage,
    publicMessage: 'Could not decode InferencePipeline initialisation command payload.',
  });
}

function typeOf(command: Readonly<Record<string, unknown>>): CommandType {
  if (!('type' in command)) throw keyError('type');
  const { type } = command;
  if (typeof type === 'string' && (TYPES as readonly string[]).includes(type)) return type as CommandType;
  throw valueError(`${pythonRepr(type)} is not a valid CommandType`);
}

function idOf(command: Readonly<Record<string, unknown>>): string {
  if (!('pipeline_id' in command)) throw keyError('pipeline_id');
  const id = command['pipeline_id'];
  if (typeof id === 'string') return id;
  if (id !== null && typeof id === 'object') {
    throw typeError(`unhashable type: '${Array.isArray(id) ? 'list' : 'dict'}'`);
  }
  throw new RoboflowFailure('not_found', {
    publicMessage: `Could not find InferencePipeline with id=${pythonRepr(id)}.`,
    pipelineId: id,
  });
}

function typeError(errorMessage: string): RoboflowFailure {
  return new RoboflowFailure('internal_error', { errorClass: 'TypeError', errorMessage });
}

function excludedOf({ excluded_fields: given }: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  return new Set(Array.isArray(given) ? given.filter((each) => typeof each === 'string') : []);
}

/** The outputs of a workflow; of a pipeline without one what its model found, in the same form. */
function outputsOf(result: FrameResult, plan: WorkflowPlan | undefined, excluded: ReadonlySet<string>): object {
  const { width, height, source_id, predictions } = result;
  const id = `image.[${source_id}]`;
  const found = new Detections(predictions, { width, height }, { parentId: id, left: 0, top: 0 });
  const outputs =
    plan === undefined ? { predictions: detectionsJson(found, false, { width, height, id }) } : (result.outputs ?? {});
  return Object.fromEntries(Object.entries(outputs).filter(([name]) => !excluded.has(name)));
}

function frameMetadata({ captured_at_ms, frame_id, source_id }: FrameResult): object {
  return { frame_timestamp: localTime(captured_at_ms), frame_id, source_id };
}
