import { randomUUID } from 'node:crypto';
import { MillraceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { PipelineProgram, WorkflowModel } from './common/messages.ts';
import type { PipelineRequest } from './common/pipeline-schema.ts';
import { furtherDetections, type WorkflowPlan } from './common/workflow/plan.ts';
import { HostLink } from './host-link.ts';
import { Pipeline } from './pipeline.ts';
import type { PipelineHosts } from './pipeline-hosts.ts';
import type { KeptPipeline, PipelineStore } from './pipeline-store.ts';
import type { PipelinesConfig } from './pipelines-config.ts';
import { VideoPolicy } from './video-policy.ts';

export interface ManagerOptions {
  readonly config: PipelinesConfig;
  /** That relative paths of the configuration start from. */
  readonly baseFolder: string;
  /** Undefined: nothing survives a restart. */
  readonly store?: PipelineStore | undefined;
}

const SWEEP_MS = 500;
/** Pipelines that are over and still looked at; more forget the ones that ended first. */
const MAX_OVER = 256;

/** What servables somebody may use, as the grant of a token has it. */
export interface Leave {
  allows(servable: string): boolean;
  /** @throws MillraceError PERMISSION_DENIED */
  check(servable: string): void;
}

/** Who asks for a pipeline. */
export interface Owner {
  readonly token?: string | undefined;
  /** Undefined: all servables. */
  readonly leave?: Leave | undefined;
  /** A pipeline that cannot be started stays listed, as Roboflow's, where the configuration says so too. */
  readonly keepsFailed?: boolean | undefined;
}

/** All pipelines: those that run, and for some time those that have. */
export class PipelineManager implements AsyncDisposable {
  readonly #options: ManagerOptions;
  readonly #hosts: PipelineHosts;
  readonly #policy: VideoPolicy;
  readonly #logger: Logger;
  readonly #pipelines = new Map<string, Pipeline>();
  /** Of Roboflow's lists: until they are terminated. */
  readonly #listed = new Set<string>();
  /** Of `restore`: what cannot be started is listed with its error until it is terminated, and tried by the next server. */
  readonly #restored = new Set<string>();
  readonly #sweeping: NodeJS.Timeout;
  #isStopping = false;

  constructor(options: ManagerOptions, hosts: PipelineHosts, logger: Logger) {
    this.#options = options;
    this.#hosts = hosts;
    this.#logger = logger;
    this.#policy = new VideoPolicy(options.config.allow, options.baseFolder);
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeping.unref();
  }

  /** Starts what the configuration names and what was kept; servables that are not ready yet are waited for. */
  async restore(): Promise<void> {
    const kept = (await this.#options.store?.load()) ?? [];
    const { autostart } = this.#options.config;
    const fromConfig = autostart.map((pipeline): KeptPipeline => ({
      id: pipeline.id,
      pipeline,
      createdAtMs: Date.now(),
      isHeld: false,
    }));
    const names = new Set(autostart.map(({ id }) => id));
    for (const each of [...fromConfig, ...kept.filter(({ id }) => !names.has(id))]) {
      const open = this.#opener();
      const pipeline = this.#add(each, each.isHeld, (...args) => {
        this.#policy.check(each.pipeline);
        return open(...args);
      });
      this.#restored.add(each.id);
      pipeline.start(true).catch((error: unknown) => {
        const { message } = MillraceError.from(error);
        this.#logger.error({ pipeline: each.id, reason: message }, 'pipeline not started');
      });
    }
  }

  /** Ids in the order of their creation, as Roboflow lists them: until they are terminated. */
  listed(leave?: Leave): string[] {
    const seen = new Set(this.all(leave).map(({ id }) => id));
    return [...this.#listed].filter((id) => seen.has(id));
  }

  /** All, those that have ended too; with `leave` those whose servable it allows. */
  all(leave?: Leave): readonly Pipeline[] {
    const pipelines = [...this.#pipelines.values()];
    return leave === undefined ? pipelines : pipelines.filter((each) => leave.allows(this.#servableOf(each)));
  }

  /** @throws MillraceError PIPELINE_NOT_FOUND; PERMISSION_DENIED where `leave` does not allow its servable */
  get(id: string, leave?: Leave): Pipeline {
    const pipeline = this.#pipelines.get(id);
    if (pipeline === undefined) throw notFound(id);
    leave?.check(this.#servableOf(pipeline));
    return pipeline;
  }

  /** As `get`, of those that Roboflow's lists have. */
  getListed(id: string, leave?: Leave): Pipeline {
    if (!this.#listed.has(id)) throw notFound(id);
    return this.get(id, leave);
  }

  /**
   * Makes and starts a pipeline. Resolves when its host runs it; whether its sources can be reached shows in its report.
   * @param id where the request names none
   * @throws MillraceError with `details.pipeline_id`; nothing of it runs then
   */
  async create(
    request: PipelineRequest,
    owner: Owner = {},
    id: string = request.id ?? randomUUID(),
  ): Promise<Pipeline> {
    for (const modelId of modelIdsOf(request)) owner.leave?.check(this.modelOf(modelId).servable);
    const present = this.#pipelines.get(id);
    if (present !== undefined && !present.isOver) {
      throw new MillraceError(
        'PIPELINE_EXISTS',
        `pipeline "${id}" is there already; terminate it, or choose another id`,
        {
          details: { pipeline_id: id },
        },
      );
    }
    this.#checkRoom(owner.token);
    this.#policy.check(request);
    if (request.persist && this.#options.store === undefined) {
      throw new MillraceError(
        'PIPELINE_INVALID',
        'persist: the server has no folder for it; start it with --pipelines_folder',
      );
    }
    const { token } = owner;
    const pipeline = this.#add({ id, pipeline: request, createdAtMs: Date.now(), isHeld: false, token }, false);
    try {
      await pipeline.start(false);
    } catch (error) {
      const { reason, message, code, details } = MillraceError.from(error);
      this.#logger.warn({ pipeline: id, reason: message }, 'pipeline could not be started');
      if (!(owner.keepsFailed === true && this.#options.config.keep_failed)) this.#listed.delete(id);
      throw new MillraceError(reason, message, { code, details: { ...details, pipeline_id: id }, cause: error });
    }
    this.#keep(pipeline);
    return pipeline;
  }

  /** An id whose pipeline could not even be described: it stays listed where that is wished for. */
  noteFailed(id: string): void {
    if (!this.#options.config.keep_failed) return;
    const request: PipelineRequest = { ...EMPTY_REQUEST };
    const pipeline = this.#add({ id, pipeline: request, createdAtMs: Date.now(), isHeld: false }, false, () => {
      throw new MillraceError('PIPELINE_INVALID', 'it could not be started');
    });
    pipeline.start(false).catch(() => {});
  }

  /** Ends a pipeline, and takes it off Roboflow's lists. Idempotent while it is remembered. @throws MillraceError PIPELINE_NOT_FOUND */
  async terminate(id: string): Promise<void> {
    const pipeline = this.get(id);
    this.#listed.delete(id);
    this.#restored.delete(id);
    await this.#options.store?.forget(id);
    await pipeline.terminate();
  }

  /** The servable behind a model id, and the names of its classes. */
  modelOf(modelId: string): {
    readonly servable: string;
    readonly version: string;
    readonly classNames: readonly string[];
  } {
    const { models } = this.#options.config;
    const entry = Object.hasOwn(models, modelId) ? models[modelId] : undefined;
    if (entry !== undefined) {
      return { servable: entry.servable, version: entry.version, classNames: entry.class_names ?? [] };
    }
    const [, project = '', version = ''] = /^(.+)\/(\d+)$/.exec(modelId) ?? [];
    const isVersion = project !== '' && !this.#hosts.hasServable(modelId) && this.#hosts.hasServable(project);
    return isVersion
      ? { servable: project, version, classNames: [] }
      : { servable: modelId, version: '', classNames: [] };
  }

  /** Of pipelines made through Roboflow's API. */
  get predictionsQueueSize(): number {
    return this.#options.config.predictions_queue_size;
  }

  hasServable(name: string): boolean {
    return this.#hosts.hasServable(name);
  }

  /** Every pipeline ends; what is kept on disk starts again with the next server. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#sweeping);
    await Promise.all([...this.#pipelines.values()].map((pipeline) => pipeline.terminate()));
  }

  #servableOf({ request }: Pipeline): string {
    return this.modelOf(request.model_id).servable;
  }

  #add(kept: KeptPipeline, isHeld: boolean, open = this.#opener()): Pipeline {
    const { id, pipeline: request, createdAtMs, token } = kept;
    const pipeline = new Pipeline(
      {
        id,
        pipeline: request,
        createdAtMs,
        token,
        open,
        onEnd: (each) => this.#ended(each),
        onChange: (each) => this.#keep(each),
      },
      isHeld,
    );
    // Behind the others, where it takes the place of one that has ended.
    this.#pipelines.delete(id);
    this.#listed.delete(id);
    this.#restored.delete(id);
    this.#pipelines.set(id, pipeline);
    this.#listed.add(id);
    return pipeline;
  }

  #opener() {
    return (pipeline: Pipeline, events: ConstructorParameters<typeof HostLink>[1]): HostLink => {
      const { servable, version, classNames } = this.modelOf(pipeline.request.model_id);
      const request = { ...pipeline.request, model_id: servable };
      return new HostLink(
        (sink) =>
          this.#hosts.openPipeline(
            servable,
            pipeline.request.version || version,
            (spec): PipelineProgram => {
              const detector = spec.kind === 'model' ? spec.detector : undefined;
              const named = request.class_names ?? (classNames.length > 0 ? classNames : detector?.classNames);
              return {
                id: pipeline.id,
                pipeline: request,
                detector,
                classNames: named ?? [],
                models: this.#workflowModels(request.workflow),
                sources: this.#options.config.sources,
                isConfined: this.#policy.isConfining,
                startFrames: pipeline.frames,
                startSequence: pipeline.sequence,
                isHeld: pipeline.isHeld,
              };
            },
            sink,
          ),
        events,
      );
    };
  }

  /** @throws MillraceError SERVABLE_NOT_FOUND, SERVABLE_NOT_READY; PIPELINE_INVALID for what is no model */
  #workflowModels(workflow: WorkflowPlan | undefined): Readonly<Record<string, WorkflowModel>> | undefined {
    if (workflow === undefined) return undefined;
    const models = furtherDetections(workflow).map(({ name, modelId }): [string, WorkflowModel] => {
      const { servable, version, classNames } = this.modelOf(modelId);
      const spec = this.#hosts.specOf(servable, version);
      if (spec.kind !== 'model') {
        throw new MillraceError(
          'PIPELINE_INVALID',
          `step "${name}": "${modelId}" is a ${spec.kind}; a detection model is expected of every step but the first`,
        );
      }
      const { detector } = spec;
      const named = classNames.length > 0 ? classNames : (detector?.classNames ?? []);
      return [name, { servable, version, detector, classNames: named }];
    });
    return Object.fromEntries(models);
  }

  #keep({ id, request: pipeline, createdAtMs, isHeld, token, isOver }: Pipeline): void {
    if (!pipeline.persist || isOver || this.#isStopping) return;
    void this.#options.store?.save({ id, pipeline, createdAtMs, isHeld, token });
  }

  /** One that ended by itself is not started again; one that never ran is, by the next server. */
  #ended({ id, state, hasRun }: Pipeline): void {
    this.#logger.info({ pipeline: id, state }, 'pipeline ended');
    if (!this.#isStopping && hasRun) void this.#options.store?.forget(id);
  }

  #checkRoom(token: string | undefined): void {
    if (this.#isStopping) throw new MillraceError('SHUTTING_DOWN', 'the server is shutting down');
    const { max_pipelines: most, max_pipelines_per_token: mostOfToken } = this.#options.config;
    const running = [...this.#pipelines.values()].filter(({ isOver }) => !isOver);
    if (running.length >= most) throw full(`${most} pipelines run, which is the most (pipelines.max_pipelines)`);
    if (mostOfToken === undefined || token === undefined) return;
    if (running.filter((each) => each.token === token).length >= mostOfToken) {
      throw full(`${mostOfToken} pipelines of this token run, which is the most (pipelines.max_pipelines_per_token)`);
    }
  }

  /** Forgets what ended long ago, and ends what nobody reads. */
  #sweep(): void {
    const now = Date.now();
    const ends = [...this.#pipelines.values()].flatMap(({ endedAtMs }) => endedAtMs ?? []).toSorted((a, b) => b - a);
    const oldest = Math.max(now - this.#options.config.history_s * 1000, ends[MAX_OVER] ?? 0);
    for (const [id, pipeline] of this.#pipelines) {
      const { endedAtMs, request, lastConsumedMs } = pipeline;
      const isKept = this.#restored.has(id) && !pipeline.hasRun;
      if (endedAtMs !== undefined && endedAtMs <= oldest && !isKept) {
        this.#pipelines.delete(id);
        this.#listed.delete(id);
      }
      const { consumption_timeout: timeout } = request;
      if (timeout !== undefined && endedAtMs === undefined && now - lastConsumedMs > timeout * 1000) {
        this.#logger.info({ pipeline: id, timeout }, 'pipeline ended: nobody reads its results');
        void this.terminate(id);
      }
    }
  }
}

/** Of the pipeline's own model and of further ones of its workflow. */
function modelIdsOf({ model_id: own, workflow }: PipelineRequest): string[] {
  return [own, ...(workflow === undefined ? [] : furtherDetections(workflow).map(({ modelId }) => modelId))];
}

const EMPTY_REQUEST: PipelineRequest = {
  video_reference: '',
  model_id: '?',
  version: '',
  model_configuration: {},
  sinks: [],
  realtime: false,
  persist: false,
};

function notFound(id: string): MillraceError {
  return new MillraceError('PIPELINE_NOT_FOUND', `there is no pipeline "${id}"`, { details: { pipeline_id: id } });
}

function full(message: string): MillraceError {
  return new MillraceError('LIMIT_REACHED', message, { details: { scope: 'pipelines' } });
}
