import { localTime, microsecondsOf } from '../../media/sinks/results/payload.ts';
import type { Pipeline } from '../pipeline.ts';
import type { SourceReport, StatusUpdate } from '../common/report.ts';
import { NO_FRAME_COUNT } from './python-text.ts';

/** Roboflow's report of a pipeline (sheet §3); `millrace` holds what ours knows beyond it. */
export function statusReport(pipeline: Pipeline): object {
  const { sources, throughput } = pipeline.report;
  return {
    video_source_status_updates: pipeline.updates.map(updateOf),
    latency_reports: sources.map(({ source_id, latency }) => ({
      source_id,
      frame_decoding_latency: latency.frame_decoding_latency ?? null,
      inference_latency: latency.inference_latency ?? null,
      e2e_latency: latency.e2e_latency ?? null,
    })),
    inference_throughput: throughput,
    sources_metadata: sources.map((source) => sourceMetadata(source, pipeline)),
    millrace: ownReport(pipeline),
  };
}

function updateOf({ at, severity, event_type, payload, context }: StatusUpdate): object {
  return { timestamp: localTime(microsecondsOf(at)), severity, event_type, payload, context };
}

function sourceMetadata(source: SourceReport, { createdAtMs }: Pipeline): object {
  const { properties, reference, buffer_size, state, filling, consumption, source_id } = source;
  return {
    source_properties:
      properties === undefined
        ? null
        : {
            width: properties.width,
            height: properties.height,
            total_frames: properties.is_live ? NO_FRAME_COUNT : (properties.frames ?? 0),
            is_file: !properties.is_live,
            fps: properties.fps ?? 0,
            is_reconnectable: properties.is_live,
            timestamp_created: localTime(createdAtMs),
          },
    source_reference: reference,
    buffer_size,
    state,
    buffer_filling_strategy: filling ?? null,
    buffer_consumption_strategy: consumption ?? null,
    source_id,
  };
}

/** What our own API says of a pipeline's work. */
export function ownReport(pipeline: Pipeline): object {
  const { sources, sinks, throughput } = pipeline.report;
  const now = Date.now();
  const { ring, nextTryAtMs } = pipeline;
  return {
    state: pipeline.state,
    results: pipeline.sequence,
    throughput,
    host_losses: pipeline.hostLosses,
    ...(nextTryAtMs !== undefined && { next_try_in: seconds(nextTryAtMs - now) }),
    ...(pipeline.failure !== undefined && { reason: pipeline.failure.message }),
    sources: sources.map((source) => ({
      source_id: source.source_id,
      reference: source.reference,
      state: source.state,
      ...source.properties,
      filling: source.filling,
      consumption: source.consumption,
      buffer_size: source.buffer_size,
      drops_by: source.drops_by,
      ...source.counts,
      last_frame_age: source.last_frame_at_ms === undefined ? null : seconds(now - source.last_frame_at_ms),
      last_frame_at: source.last_frame_at_ms === undefined ? null : new Date(source.last_frame_at_ms).toISOString(),
      next_retry_in: source.next_retry_at_ms === undefined ? null : seconds(source.next_retry_at_ms - now),
      last_error: source.last_error ?? null,
      latency: {
        mean: source.latency.e2e_latency ?? null,
        p50: source.latency.p50 ?? null,
        p90: source.latency.p90 ?? null,
        p99: source.latency.p99 ?? null,
        inference: source.latency.inference_latency ?? null,
        waiting: source.latency.frame_decoding_latency ?? null,
      },
    })),
    sinks: [
      ...sinks.map(({ last_error, ...sink }) => ({ ...sink, last_error: last_error ?? null })),
      ...(ring === undefined
        ? []
        : [
            {
              type: 'memory',
              target: '',
              delivered: ring.counts.taken,
              failed: 0,
              dropped: ring.counts.lost,
              waiting: ring.counts.waiting,
              last_error: null,
            },
          ]),
    ],
  };
}

const seconds = (ms: number): number => Math.max(0, ms) / 1000;
