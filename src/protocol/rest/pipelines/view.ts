import { hideInAddress, hideKeys } from '../../../media/ffmpeg/redact.ts';
import type { PipelineRequest, SinkSpec } from '../../../pipelines/common/pipeline-schema.ts';
import type { Pipeline } from '../../../pipelines/pipeline.ts';
import { ownReport } from '../../../pipelines/roboflow/status-report.ts';

/** A pipeline as `GET /v1/pipelines/{id}` shows it. */
export function pipelineView(pipeline: Pipeline): object {
  const { id, state, createdAtMs, endedAtMs, updates, request } = pipeline;
  return {
    id,
    ...(request.name !== undefined && { name: request.name }),
    state,
    created_at: new Date(createdAtMs).toISOString(),
    ended_at: endedAtMs === undefined ? null : new Date(endedAtMs).toISOString(),
    pipeline: redacted(request),
    report: ownReport(pipeline),
    events: updates,
  };
}

/** A line of `GET /v1/pipelines`. */
export function pipelineLine(pipeline: Pipeline): object {
  const { id, state, createdAtMs, request } = pipeline;
  return {
    id,
    ...(request.name !== undefined && { name: request.name }),
    state,
    model_id: request.model_id,
    created_at: new Date(createdAtMs).toISOString(),
    report: ownReport(pipeline),
  };
}

/** Without user names, passwords and secrets. */
export function redacted(request: PipelineRequest): object {
  const { video_reference: given, sinks } = request;
  const hide = (reference: string | number): string | number =>
    typeof reference === 'string' ? hideInAddress(reference) : reference;
  return {
    ...request,
    video_reference: Array.isArray(given) ? given.map(hide) : hide(given),
    sinks: sinks.map(redactedSink),
  };
}

function redactedSink(sink: SinkSpec): object {
  const shown: Record<string, unknown> = { ...sink };
  for (const key of ['url', 'target', 'path']) {
    const value = shown[key];
    if (typeof value === 'string') shown[key] = key === 'url' ? hideKeys(value) : hideInAddress(value);
  }
  if ('secret' in shown && shown['secret'] !== undefined) shown['secret'] = '***';
  if (sink.type === 'webhook' && sink.headers !== undefined) {
    shown['headers'] = Object.fromEntries(Object.keys(sink.headers).map((name) => [name, '***']));
  }
  return shown;
}
