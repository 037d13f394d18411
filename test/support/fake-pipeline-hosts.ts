import { MillraceError } from '../../src/base/errors.ts';
import type { SessionPort, SessionSink } from '../../src/ipc/session.ts';
import type { PipelineCommand, PipelineMessage, PipelineProgram } from '../../src/pipelines/common/messages.ts';
import { referencesOf } from '../../src/pipelines/common/pipeline-schema.ts';
import { NO_COUNTS, NO_LATENCY, type HostReport, type SourceReport } from '../../src/pipelines/common/report.ts';
import { notAllowedText, operateOnAll, OPERATION_TABLE, type SourceState } from '../../src/pipelines/common/states.ts';
import type { PipelineHosts } from '../../src/pipelines/pipeline-hosts.ts';
import type { ServableSpec } from '../../src/serving/servable-spec.ts';
import { JsonParameter } from '../../src/tensor/parameters.ts';
import type { InferenceRequest } from '../../src/tensor/inference.ts';

/** Hosts whose pipelines have states and no videos; what happens to them a test says. */
export class FakePipelineHosts implements PipelineHosts {
  readonly servables = new Set(['detect', 'some']);
  /** Names that are there and cannot be used now. */
  readonly notReady = new Set<string>();
  readonly runs: FakeRun[] = [];

  hasServable(name: string): boolean {
    return this.servables.has(name);
  }

  specOf(servable: string): ServableSpec {
    if (!this.servables.has(servable)) throw unknown(servable);
    return { kind: servable === 'detect' ? 'graph' : 'model' } as ServableSpec;
  }

  openPipeline(
    servable: string,
    _version: string,
    programOf: (spec: ServableSpec) => object,
    sink: SessionSink,
  ): SessionPort {
    if (!this.servables.has(servable)) throw unknown(servable);
    if (this.notReady.has(servable))
      throw new MillraceError('SERVABLE_NOT_READY', `servable '${servable}' is not ready`);
    const program = programOf({ kind: 'graph' } as ServableSpec) as PipelineProgram;
    const run = new FakeRun(program, sink);
    this.runs.push(run);
    return run;
  }

  /** The newest run of a pipeline. */
  runOf(id: string): FakeRun {
    const run = this.runs.findLast(({ program }) => program.id === id);
    if (run === undefined) throw new Error(`pipeline ${id} was never started`);
    return run;
  }
}

/** What a workflow gives of a frame in which there is nothing. */
const FOUND = { image: { width: 320, height: 240 }, predictions: [] };

function unknown(servable: string): MillraceError {
  return new MillraceError('SERVABLE_NOT_FOUND', `Request for unknown model: '${servable}' is not found`);
}

/** A pipeline in a host. */
export class FakeRun implements SessionPort {
  readonly program: PipelineProgram;
  readonly #sink: SessionSink;
  states: SourceState[];
  /** It takes commands and answers none. */
  hangs = false;
  sequence: number;
  hasEnded = false;
  readonly commands: PipelineCommand[] = [];

  constructor(program: PipelineProgram, sink: SessionSink) {
    this.program = program;
    this.#sink = sink;
    this.sequence = program.startSequence;
    this.states = referencesOf(program.pipeline).map(() => 'RUNNING');
    queueMicrotask(() => this.report());
  }

  push(request: InferenceRequest): boolean {
    const given = request.parameters?.['command'] as JsonParameter | undefined;
    const command = JSON.parse(given?.text ?? 'null') as PipelineCommand;
    this.commands.push(command);
    if (!this.hangs) queueMicrotask(() => this.#obey(command, request.id));
    return true;
  }

  halfClose(): void {}
  pause(): void {}
  resume(): void {}

  abort(error: MillraceError): void {
    this.end(error);
  }

  /** A result of each source. */
  result(...sources: number[]): void {
    const { workflow } = this.program.pipeline;
    const results = sources.map((source_id) => ({
      source_id,
      frame_id: ++this.sequence,
      captured_at_ms: 1_700_000_000_000,
      width: 320,
      height: 240,
      predictions: [],
      ...(workflow !== undefined && { outputs: Object.fromEntries(workflow.outputs.map(({ name }) => [name, FOUND])) }),
    }));
    this.send({ type: 'results', sequence: this.sequence - sources.length + 1, results });
    this.report();
  }

  report(): void {
    const report: HostReport = {
      sources: this.states.map((state, index) => this.#source(state, index)),
      sinks: [],
      results: this.sequence,
      throughput: 0,
    };
    this.send({ type: 'report', report });
  }

  send(message: PipelineMessage, id = ''): void {
    if (this.hasEnded) return;
    const parameters = { message: new JsonParameter(JSON.stringify(message)) };
    this.#sink.onResponse({ servable: '', version: '', id, outputs: [], parameters }, undefined);
  }

  end(error?: MillraceError): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    queueMicrotask(() => this.#sink.onEnd(error));
  }

  #obey(command: PipelineCommand, id: string): void {
    if (command.type !== 'operate') return this.send({ type: 'reply' }, id);
    const { operation } = command;
    const joint = operateOnAll(operation, this.states);
    if (joint.answer === 'refused') {
      const message = notAllowedText(operation, joint.state);
      return this.send({ type: 'reply', error: { reason: 'PIPELINE_STATE', message, details: {} } }, id);
    }
    for (const index of joint.sources) {
      const cell = OPERATION_TABLE[operation][this.states[index] as SourceState];
      if (cell.answer === 'done') this.states[index] = cell.next === 'TERMINATING' ? 'ENDED' : cell.next;
    }
    this.report();
    this.send({ type: 'reply', answer: joint.answer }, id);
    if (operation === 'terminate') this.end();
  }

  #source(state: SourceState, index: number): SourceReport {
    return {
      source_id: index,
      reference: referencesOf(this.program.pipeline)[index] ?? '',
      state,
      properties: { width: 320, height: 240, frames: 75, is_live: false, fps: 25, codec: 'h264' },
      filling: 'WAIT',
      consumption: 'LAZY',
      buffer_size: 4,
      counts: { ...NO_COUNTS, captured: this.sequence },
      last_frame_at_ms: undefined,
      next_retry_at_ms: undefined,
      last_error: undefined,
      latency: NO_LATENCY,
    };
  }
}
