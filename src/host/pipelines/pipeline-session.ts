import { encodeJpeg } from './encode-jpeg.ts';
import { MillraceError } from '../../base/errors.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import { NewestQueue } from '../../media/sinks/results/newest-queue.ts';
import type { FrameResult } from '../../media/sinks/results/result-record.ts';
import { MAX_WAITING_BYTES, resultBytes } from '../../media/sinks/results/result-size.ts';
import type { PipelineCommand, PipelineMessage, PipelineProgram } from '../../pipelines/common/messages.ts';
import type { StatusUpdate } from '../../pipelines/common/report.ts';
import { JsonParameter } from '../../tensor/parameters.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { toRgb } from '../../media/yuv.ts';
import { annotated } from './annotate.ts';
import type { FrameInference } from './frame-inference.ts';
import { PipelineRun, type PipelineListener } from './pipeline-run.ts';
import type { OpenSource, SourceFrame } from './source-runner.ts';

/** What changes by itself, such as counts; what happens is reported at once. */
const REPORT_MS = 500;
/** Results that wait for the front; more drop the oldest. */
const MAX_WAITING = 256;
/** Pictures are made at most this often. */
const FRAME_MS = 90;

/** A pipeline as a session of its host: requests are commands, responses are results and news. */
export class PipelineSession implements HostSession, PipelineListener {
  readonly #program: PipelineProgram;
  readonly #output: SessionOutput;
  readonly #run: PipelineRun;
  readonly #reporting: NodeJS.Timeout;
  #lastReport = '';
  #wantsResults: boolean;
  #wantsFrames = false;
  /** Results that the front has no room for. */
  readonly #waiting = new NewestQueue<PipelineMessage>(MAX_WAITING, MAX_WAITING_BYTES);
  #isReportDue = false;
  #isEncoding = false;
  #lastFrameAtMs = -Infinity;
  #isOver = false;

  constructor(program: PipelineProgram, inference: FrameInference, output: SessionOutput, open?: OpenSource) {
    this.#program = program;
    this.#output = output;
    this.#wantsResults = program.pipeline.sinks.some(({ type }) => type === 'memory');
    this.#run = new PipelineRun(program, inference, this, open);
    this.#reporting = setInterval(() => this.#report(), REPORT_MS);
    // The beginning of the run tells of its states before this is done.
    queueMicrotask(() => this.#report());
    this.#run.finished.then(
      () => this.#finish(undefined),
      (error: unknown) => this.#finish(MillraceError.from(error)),
    );
  }

  push(request: InferenceRequest): void {
    this.#output.taken(request);
    const given = request.parameters?.['command'];
    const command = JSON.parse(given instanceof JsonParameter ? given.text : 'null') as PipelineCommand;
    try {
      const answer = this.#obey(command);
      this.#report();
      this.#send({ type: 'reply', ...(answer !== undefined && { answer }) }, [], request.id);
    } catch (error) {
      const { reason, message, details } = MillraceError.from(error);
      this.#report();
      this.#send({ type: 'reply', error: { reason, message, details } }, [], request.id);
    }
  }

  halfClose(): void {
    void this.#run.close();
  }

  /** The front is gone, or wants no more of it. */
  abort(): void {
    this.#isOver = true;
    clearInterval(this.#reporting);
    void this.#run.close();
  }

  onRoom(): void {
    while (!this.#output.isFull) {
      const next = this.#waiting.take();
      if (next === undefined) break;
      this.#send(next);
    }
  }

  onUpdate(update: StatusUpdate): void {
    this.#send({ type: 'update', update });
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    queueMicrotask(() => {
      this.#isReportDue = false;
      this.#report();
    });
  }

  onResults(sequence: number, results: readonly FrameResult[]): void {
    if (!this.#wantsResults) return;
    const message: PipelineMessage = { type: 'results', sequence, results };
    if (!this.#output.isFull && this.#waiting.length === 0) return this.#send(message);
    const bytes = results.reduce((sum, result) => sum + resultBytes(result), 0);
    this.#waiting.put(message, bytes);
  }

  onFrame(each: SourceFrame, result: FrameResult | undefined): void {
    if (!this.#wantsFrames || this.#isEncoding || this.#output.isFull) return;
    const now = performance.now();
    if (now - this.#lastFrameAtMs < FRAME_MS) return;
    this.#lastFrameAtMs = now;
    this.#isEncoding = true;
    this.#sendPicture(each, result)
      .catch(() => {}) // a picture less
      .finally(() => (this.#isEncoding = false));
  }

  /** The frame is looked at before this returns: its memory may be used again then. */
  async #sendPicture(each: SourceFrame, result: FrameResult | undefined): Promise<void> {
    const frame = toRgb(each.frame);
    const data = await encodeJpeg(result === undefined ? frame : annotated(frame, result.predictions));
    const jpeg: Tensor = { name: 'jpeg', datatype: 'UINT8', shape: [data.length], data };
    this.#send({ type: 'frame', source_id: each.sourceId, frame_id: each.frameId }, [jpeg]);
  }

  #obey(command: PipelineCommand): 'done' | 'already' | undefined {
    switch (command.type) {
      case 'operate':
        return this.#run.operate(command.operation);
      case 'patch':
        this.#run.configure(command.model_configuration, command.max_fps);
        return undefined;
      case 'watch':
        this.#wantsFrames = command.frames;
        this.#wantsResults = command.results;
        return undefined;
    }
  }

  #report(): void {
    if (this.#isOver || this.#output.isFull) return;
    const report = this.#run.report();
    const text = JSON.stringify(report);
    if (text === this.#lastReport) return;
    this.#lastReport = text;
    this.#send({ type: 'report', report });
  }

  #send(message: PipelineMessage, outputs: readonly Tensor[] = [], id = ''): void {
    if (this.#isOver) return;
    const parameters = { message: new JsonParameter(JSON.stringify(message)) };
    const { model_id: servable } = this.#program.pipeline;
    this.#output.respond({ servable, version: '', id, parameters, outputs });
  }

  /** @param error what the run broke at, which is no fault of its sources, servable or sinks */
  #finish(error: MillraceError | undefined): void {
    if (this.#isOver) return;
    for (let next = this.#waiting.take(); next !== undefined; next = this.#waiting.take()) this.#send(next);
    this.#report();
    this.#isOver = true;
    clearInterval(this.#reporting);
    this.#output.end(error);
  }
}
