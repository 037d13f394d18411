import type { DashboardSpec, PanelSpec } from '../panel.ts';

const PIPELINE = 'pipeline_id=~"$pipeline"';
const SOURCE = '{{pipeline_id}} {{source}}';

/** These are gauges of what runs: a pipeline that ends takes its series along. */
const gauge = (
  metric: string,
  title: string,
  about: string,
  unit: string,
  more: Partial<PanelSpec> = {},
): PanelSpec => ({ title, about, unit, queries: [{ expr: `${metric}{${PIPELINE}}`, legend: SOURCE }], ...more });

/** Per second; what falls when a pipeline begins anew is no drop. */
const perSecond = (metric: string): string => `rate(${metric}{${PIPELINE}}[$__rate_interval])`;

/** Video pipelines by their sources. */
export const pipelines: DashboardSpec = {
  uid: 'millrace-pipelines',
  title: 'Millrace pipelines',
  about: 'Video pipelines: sources, frames, latency, drops and reconnections.',
  variables: [{ name: 'pipeline', label: 'Pipeline', metric: 'millrace_pipeline_source_up', of: 'pipeline_id' }],
  rows: [
    {
      title: 'Sources',
      panels: [
        {
          title: 'Sources of pipelines that run',
          about: 'All of the server’s.',
          kind: 'number',
          unit: 'short',
          width: 6,
          queries: [{ expr: 'sum(inference_pipeline_active_streams)', legend: 'sources' }],
        },
        gauge('millrace_pipeline_source_up', 'Source up', '1 while it gives frames.', 'short', { width: 6 }),
        gauge(
          'millrace_pipeline_last_frame_age_seconds',
          'Age of the last frame',
          'Grows when a camera hangs; −1 before the first frame.',
          's',
          { width: 6 },
        ),
        {
          title: 'Reconnections',
          about: 'Connections made anew since the pipeline began.',
          unit: 'short',
          width: 6,
          queries: [{ expr: `millrace_pipeline_reconnects{${PIPELINE}}`, legend: SOURCE }],
        },
      ],
    },
    {
      title: 'Frames',
      panels: [
        {
          title: 'Frames per second',
          about: 'Captured: as they come. Inferred: with a result. The difference is dropped, or still under way.',
          unit: 'fps',
          queries: [
            { expr: perSecond('millrace_pipeline_frames_captured'), legend: `${SOURCE} captured` },
            { expr: perSecond('millrace_pipeline_frames_inferred'), legend: `${SOURCE} inferred` },
          ],
        },
        {
          title: 'Dropped frames by cause',
          about:
            'full: the buffer was; stale: too late; muted: paused; rate: above max_fps; ended: of a pipeline that ends.',
          unit: 'fps',
          queries: [{ expr: perSecond('millrace_pipeline_frames_dropped'), legend: `${SOURCE} {{cause}}` }],
        },
        {
          title: 'Failed frames',
          about: 'Whose inference failed; the pipeline’s report has the errors.',
          unit: 'fps',
          queries: [{ expr: perSecond('millrace_pipeline_frames_failed'), legend: SOURCE }],
        },
        {
          title: 'Results per second and declared frame rate',
          about: 'Throughput of the pipeline beside what the source says of itself.',
          unit: 'fps',
          queries: [
            { expr: `inference_pipeline_inference_fps{${PIPELINE}}`, legend: `${SOURCE} results` },
            { expr: `inference_pipeline_camera_fps{${PIPELINE}}`, legend: `${SOURCE} declared` },
          ],
        },
        {
          title: 'Latency',
          about:
            'Mean of the last 64 frames, from the decoder to the model, in the model, and from the decoder to the result.',
          width: 16,
          unit: 's',
          queries: [
            { expr: `inference_pipeline_frame_decoding_latency{${PIPELINE}}`, legend: `${SOURCE} decoding` },
            { expr: `inference_pipeline_inference_latency{${PIPELINE}}`, legend: `${SOURCE} inference` },
            { expr: `inference_pipeline_e2e_latency{${PIPELINE}}`, legend: `${SOURCE} end to end` },
          ],
        },
      ],
    },
  ],
};
