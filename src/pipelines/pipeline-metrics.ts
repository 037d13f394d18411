import type { Gauge, Meter } from '../base/meter.ts';
import type { SourceReport } from './common/report.ts';
import type { Pipeline } from './pipeline.ts';
import type { PipelineManager } from './pipeline-manager.ts';

const EVERY_MS = 1000;

/** What is told of one source, by metric; those named as Roboflow's are theirs (sheet §3). */
const SOURCE_METRICS: Readonly<
  Record<string, { help: string; value: (source: SourceReport, pipeline: Pipeline) => number }>
> = {
  inference_pipeline_inference_fps: {
    help: 'Results per second of the pipeline.',
    value: (_, pipeline) => pipeline.report.throughput,
  },
  inference_pipeline_camera_fps: {
    help: 'Frames per second as the source declares.',
    value: ({ properties }) => properties?.fps ?? 0,
  },
  inference_pipeline_frame_decoding_latency: {
    help: 'Seconds from the decoder to the model, mean of the last 64 frames.',
    value: ({ latency }) => latency.frame_decoding_latency ?? 0,
  },
  inference_pipeline_inference_latency: {
    help: 'Seconds in the model, mean of the last 64 frames.',
    value: ({ latency }) => latency.inference_latency ?? 0,
  },
  inference_pipeline_e2e_latency: {
    help: 'Seconds from the decoder to the result, mean of the last 64 frames.',
    value: ({ latency }) => latency.e2e_latency ?? 0,
  },
  millrace_pipeline_source_up: {
    help: '1 while the source gives frames.',
    value: ({ state }) => (state === 'RUNNING' || state === 'MUTED' ? 1 : 0),
  },
  millrace_pipeline_last_frame_age_seconds: {
    help: 'Age of the last frame; -1 before the first.',
    value: ({ last_frame_at_ms: at }) => (at === undefined ? -1 : (Date.now() - at) / 1000),
  },
  millrace_pipeline_frames_captured: { help: 'Frames that the source gave.', value: ({ counts }) => counts.captured },
  millrace_pipeline_frames_inferred: { help: 'Frames with a result.', value: ({ counts }) => counts.inferred },
  millrace_pipeline_frames_failed: { help: 'Frames whose inference failed.', value: ({ counts }) => counts.failed },
  millrace_pipeline_reconnects: { help: 'Connections that were made anew.', value: ({ counts }) => counts.reconnects },
};

const CAUSES = ['full', 'stale', 'adaptive', 'muted', 'rate', 'ended'] as const;

interface Series {
  readonly gauges: readonly {
    readonly gauge: Gauge;
    readonly value: (source: SourceReport, pipeline: Pipeline) => number;
  }[];
  readonly dropped: readonly Gauge[];
  readonly remove: () => void;
}

/** Prometheus metrics of pipelines that run, by pipeline and source; their series go with them. */
export class PipelineMetrics implements AsyncDisposable {
  readonly #manager: PipelineManager;
  readonly #families;
  readonly #dropped;
  readonly #active: Gauge;
  readonly #series = new Map<string, Series>();
  readonly #timer: NodeJS.Timeout;

  constructor(manager: PipelineManager, meter: Meter) {
    this.#manager = manager;
    const labels = ['pipeline_id', 'source'];
    this.#families = Object.entries(SOURCE_METRICS).map(([name, { help, value }]) => ({
      family: meter.gauge(name, help, labels),
      value,
    }));
    this.#dropped = meter.gauge('millrace_pipeline_frames_dropped', 'Frames that were dropped, by cause.', [
      ...labels,
      'cause',
    ]);
    this.#active = meter.gauge('inference_pipeline_active_streams', 'Sources of pipelines that run.', []).with({});
    this.#timer = setInterval(() => this.#measure(), EVERY_MS);
    this.#timer.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const { remove } of this.#series.values()) remove();
    return Promise.resolve();
  }

  #measure(): void {
    const seen = new Set<string>();
    for (const pipeline of this.#manager.all()) {
      if (pipeline.isOver) continue;
      for (const source of pipeline.report.sources) {
        const key = `${pipeline.id} ${source.source_id}`;
        seen.add(key);
        let series = this.#series.get(key);
        if (series === undefined) this.#series.set(key, (series = this.#make(pipeline.id, String(source.source_id))));
        for (const { gauge, value } of series.gauges) gauge.set(value(source, pipeline));
        for (const [index, cause] of CAUSES.entries()) series.dropped[index]?.set(source.counts[`dropped_${cause}`]);
      }
    }
    this.#active.set(seen.size);
    for (const [key, { remove }] of this.#series) {
      if (seen.has(key)) continue;
      remove();
      this.#series.delete(key);
    }
  }

  #make(pipeline: string, source: string): Series {
    const labels = { pipeline_id: pipeline, source };
    return {
      gauges: this.#families.map(({ family, value }) => ({ gauge: family.with(labels), value })),
      dropped: CAUSES.map((cause) => this.#dropped.with({ ...labels, cause })),
      remove: () => {
        for (const { family } of this.#families) family.remove(labels);
        for (const cause of CAUSES) this.#dropped.remove({ ...labels, cause });
      },
    };
  }
}
