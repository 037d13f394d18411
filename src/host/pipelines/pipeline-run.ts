import { setTimeout as delay } from 'node:timers/promises';
import { MillraceError } from '../../base/errors.ts';
import type { FrameResult, ResultRecord } from '../../media/sinks/results/result-record.ts';
import type { ModelConfiguration } from '../../pipelines/common/pipeline-schema.ts';
import type { PipelineProgram } from '../../pipelines/common/messages.ts';
import { epochMs, utcTime } from '../../media/sinks/results/payload.ts';
import { SEVERITY, type HostReport, type StatusUpdate } from '../../pipelines/common/report.ts';
import { notAllowedText, operateOnAll, type Operation } from '../../pipelines/common/states.ts';
import { BatchCollector } from './batch-collector.ts';
import type { FrameInference } from './frame-inference.ts';
import { Throughput } from './latencies.ts';
import { openSinks, sinkReport, type HostSinks } from './open-sinks.ts';
import { RateLimiter } from './rate-limiter.ts';
import { planSources } from './source-plan.ts';
import { failureOf, SourceRunner, type OpenSource, type SourceFrame } from './source-runner.ts';

/** Told of what a pipeline does. */
export interface PipelineListener {
  onUpdate(update: StatusUpdate): void;
  onResults(sequence: number, results: readonly FrameResult[]): void;
  /** A frame with what was found in it, for those who look at pictures. */
  onFrame(frame: SourceFrame, result: FrameResult | undefined): void;
}

/** At the end, how long sinks may take to write what waits. */
const FINISH_MS = 5_000;

/** The same error in every frame is told of once, and again after this. */
const REPEAT_MS = 10_000;

/** Sources → servable → sinks, from its start to its end. */
export class PipelineRun {
  readonly #program: PipelineProgram;
  readonly #inference: FrameInference;
  readonly #listener: PipelineListener;
  readonly #sources: readonly SourceRunner[];
  readonly #sinks: HostSinks;
  readonly #limiter: RateLimiter;
  readonly #throughput = new Throughput();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #sequence: number;
  #lastFailure = { text: '', atMs: -Infinity };
  #closing: Promise<void> | undefined;

  constructor(program: PipelineProgram, inference: FrameInference, listener: PipelineListener, open?: OpenSource) {
    this.#program = program;
    this.#inference = inference;
    this.#listener = listener;
    this.#sequence = program.startSequence;
    const plans = planSources(program, inference.pixels);
    this.#limiter = new RateLimiter(rateOf(program.pipeline.max_fps, plans.length));
    this.#sources = plans.map(
      (plan, id) => new SourceRunner(id, plan, (severity, type, payload) => this.#tell(severity, type, payload), open),
    );
    this.#sinks = openSinks(program.pipeline.sinks, (sink, message) =>
      this.#tellOf(new MillraceError('SINK_FAILED', message), 'INFERENCE_RESULTS_DISPATCHING_ERROR', sink),
    );
    // A pipeline that was held when its host was lost is held again.
    for (const source of this.#sources) source.start(program.isHeld);
    this.#running = this.#run();
  }

  /** Resolves when every source has ended and what waits in sinks is written. Rejects only at a fault of our own; it is over then too. */
  get finished(): Promise<void> {
    return this.#running;
  }

  /** @throws MillraceError PIPELINE_STATE where the states do not allow it */
  operate(operation: Operation): 'done' | 'already' {
    const answer = operateOnAll(
      operation,
      this.#sources.map(({ state }) => state),
    );
    if (answer.answer === 'refused') {
      throw new MillraceError('PIPELINE_STATE', notAllowedText(operation, answer.state), {
        details: { state: answer.state, operation },
      });
    }
    for (const index of answer.sources) {
      const source = this.#sources[index] as SourceRunner;
      if (operation === 'resume') source.resume();
      else if (operation === 'terminate') void this.close();
      else source.hold(operation === 'mute' ? 'MUTED' : 'PAUSED');
    }
    return answer.answer;
  }

  configure(configuration: ModelConfiguration | undefined, maxFps: number | null | undefined): void {
    if (configuration !== undefined) this.#inference.configure(configuration);
    if (maxFps !== undefined) this.#limiter.rate = rateOf(maxFps, this.#sources.length);
  }

  report(): HostReport {
    return {
      sources: this.#sources.map((source) => source.report()),
      sinks: [...this.#sinks.results.map(sinkReport), ...this.#sinks.pictures.map(({ report }) => report)],
      results: this.#sequence,
      throughput: this.#throughput.perSecond(performance.now()),
    };
  }

  /** Ends it in any state: sources first, then what waits in sinks is written, for some seconds. Idempotent, never rejects. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    await this.#closeSources();
    await this.#running.catch(() => {}); // `finished` tells of it
  }

  async #closeSources(): Promise<void> {
    await Promise.allSettled(this.#sources.map((source) => source.close()));
  }

  async #run(): Promise<void> {
    try {
      await this.#runFrames();
    } finally {
      await this.#closeSources();
      this.#inference.close();
      const { results, pictures } = this.#sinks;
      await Promise.allSettled([
        ...results.map((sink) => sink.finish(FINISH_MS)),
        ...pictures.map((sink) => sink.finish()),
      ]);
      await Promise.allSettled([...results, ...pictures].map((sink) => sink[Symbol.asyncDispose]()));
    }
  }

  async #runFrames(): Promise<void> {
    const timeout = this.#program.pipeline.batch_collection_timeout;
    const collector = new BatchCollector(this.#sources, timeout === undefined ? undefined : timeout * 1000);
    this.#tell(SEVERITY.INFO, 'INFERENCE_THREAD_STARTED', {}, 'inference_pipeline');
    for (let batch = await collector.next(); batch !== undefined; batch = await collector.next()) {
      if (await this.#isAdmitted(batch)) await this.#process(batch);
      this.#release(batch);
    }
    this.#tell(SEVERITY.INFO, 'INFERENCE_THREAD_FINISHED', {}, 'inference_pipeline');
  }

  async #isAdmitted(batch: readonly SourceFrame[]): Promise<boolean> {
    const hasLive = this.#sources.some(({ isLive }) => isLive === true);
    const byTimes = !hasLive && this.#program.sources?.drop_frames_of_files === true;
    const timeMs = (batch[0]?.frame.timestampUs ?? 0) / 1000;
    const waitMs = byTimes ? this.#limiter.take(timeMs) : this.#limiter.admit(hasLive ? 'drop' : 'wait');
    if (waitMs !== undefined && waitMs > 0) {
      await delay(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
    }
    if (waitMs === undefined) this.#count(batch, 'rate');
    else if (this.#stopping.signal.aborted) this.#count(batch, 'ended');
    return waitMs !== undefined && !this.#stopping.signal.aborted;
  }

  async #process(batch: readonly SourceFrame[]): Promise<void> {
    const startedAtMs = performance.now();
    let results: readonly (FrameResult | undefined)[];
    try {
      results = await this.#inference.infer(batch);
    } catch (error) {
      this.#count(batch, this.#stopping.signal.aborted ? 'ended' : 'failed');
      if (!this.#stopping.signal.aborted) {
        this.#tellOf(MillraceError.from(error), 'INFERENCE_ERROR', 'inference_thread');
        // What is broken for good should not keep a core busy.
        await delay(20);
      }
      return;
    }
    const nowMs = performance.now();
    for (const [index, each] of batch.entries()) {
      const source = this.#sources[each.sourceId] as SourceRunner;
      const { capturedAtMs } = each.frame;
      source.latencies.add(startedAtMs - capturedAtMs, nowMs - startedAtMs, nowMs - capturedAtMs);
      if (results[index] === undefined) {
        source.tally.unanswered++;
      } else {
        source.tally.inferred++;
        this.#throughput.tick(nowMs);
      }
    }
    await this.#dispatch(batch, results);
  }

  async #dispatch(batch: readonly SourceFrame[], results: readonly (FrameResult | undefined)[]): Promise<void> {
    const first = this.#sequence + 1;
    const found = results.filter((result) => result !== undefined);
    for (const result of found) {
      const record: ResultRecord = { pipelineId: this.#program.id, sequence: ++this.#sequence, result };
      for (const sink of this.#sinks.results) sink.deliver(record);
    }
    if (found.length > 0) this.#listener.onResults(first, found);
    const showing = batch.flatMap((each, index) => {
      this.#listener.onFrame(each, results[index]);
      const isLive = this.#sources[each.sourceId]?.isLive !== false;
      return this.#sinks.pictures.map((sink) => sink.show(each, results[index], isLive));
    });
    await Promise.all(showing);
  }

  /** Planes are only the servable's: what else looks at frames has copied them. */
  #release(batch: readonly SourceFrame[]): void {
    if (this.#inference.keepsFrames) return;
    for (const { frame } of batch) if (frame.format === 'yuv420p') frame.release?.();
  }

  #count(batch: readonly SourceFrame[], what: 'rate' | 'ended' | 'failed'): void {
    for (const { sourceId } of batch) (this.#sources[sourceId] as SourceRunner).tally[what]++;
  }

  #tellOf(error: MillraceError, eventType: string, context: string): void {
    const now = performance.now();
    const text = `${eventType} ${context} ${error.message}`;
    if (text === this.#lastFailure.text && now - this.#lastFailure.atMs < REPEAT_MS) return;
    this.#lastFailure = { text, atMs: now };
    const where = eventType === 'INFERENCE_ERROR' ? context : 'inference_results_dispatching';
    const sink = eventType === 'INFERENCE_ERROR' ? {} : { sink: context };
    this.#tell(SEVERITY.ERROR, eventType, { ...failureOf(error, where), ...sink }, 'inference_pipeline');
  }

  #tell(
    severity: number,
    eventType: string,
    payload: Readonly<Record<string, unknown>>,
    context = 'video_source',
  ): void {
    this.#listener.onUpdate({ at: utcTime(epochMs()), severity, event_type: eventType, payload, context });
  }
}

/** With n sources the limit is of n-th part as many batches (sheet §3). */
function rateOf(maxFps: number | null | undefined, sources: number): number | null {
  return maxFps === null || maxFps === undefined ? null : Math.max(maxFps, 0.01) / sources;
}
