import type { DashboardSpec } from '../panel.ts';
import { mean, now, quantiles, rate } from './queries.ts';

const STREAM = 'model=~"$model",interface=~"$interface"';
const MODEL = 'model=~"$model"';
const JOB = 'job=~"$job"';

/** Streams of runtimes, models and graphs, over gRPC and REST; and the server's own process. */
export const streams: DashboardSpec = {
  uid: 'millrace-streams',
  title: 'Millrace streams',
  about: 'Streams of runtimes, models and graphs: first response, pace, how they end. Below, the server itself.',
  variables: [
    { name: 'model', label: 'Servable', metric: 'millrace_streams_active', of: 'model' },
    { name: 'interface', label: 'Interface', metric: 'millrace_streams_active', of: 'interface' },
    { name: 'job', label: 'Job', metric: 'nodejs_version_info', of: 'job' },
  ],
  rows: [
    {
      title: 'Streams',
      panels: [
        {
          title: 'Open streams',
          about: 'Also a stream on which nothing is said.',
          unit: 'short',
          queries: [
            { expr: now('millrace_streams_active', 'model, interface', STREAM), legend: '{{model}} {{interface}}' },
          ],
        },
        {
          title: 'Requests and responses',
          about: 'Messages of streams, both ways.',
          unit: 'reqps',
          queries: [
            { expr: rate('millrace_stream_requests', 'model', STREAM), legend: '{{model}} in' },
            { expr: rate('millrace_stream_responses', 'model', STREAM), legend: '{{model}} out' },
          ],
        },
        {
          title: 'Ends of streams',
          about: 'cancelled: the client left, a limit was reached or the server stopped; failed: the log says why.',
          unit: 'ops',
          queries: [
            { expr: rate('millrace_streams_ended', 'model, outcome', STREAM), legend: '{{model}} {{outcome}}' },
          ],
        },
        {
          title: 'Time to first response',
          about: 'From the opening of a stream.',
          unit: 's',
          queries: quantiles('millrace_stream_first_response_seconds', STREAM),
        },
        {
          title: 'Time between responses',
          about: 'Of a text model, per token.',
          unit: 's',
          queries: quantiles('millrace_stream_response_interval_seconds', STREAM),
        },
        {
          title: 'Responses per stream',
          about: 'Mean of the streams that ended.',
          unit: 'short',
          queries: [{ expr: mean('millrace_stream_responses_per_stream', 'model', STREAM), legend: '{{model}}' }],
        },
        {
          title: 'Calls by servable',
          about: 'Unary calls and streams that ended well and that failed; MLServer’s metrics by name.',
          width: 12,
          unit: 'reqps',
          queries: [
            { expr: rate('model_infer_request_success_total', 'model', MODEL), legend: '{{model}}' },
            { expr: rate('model_infer_request_failure_total', 'model', MODEL), legend: '{{model}} failed' },
          ],
        },
        {
          title: 'Sessions',
          about: 'Open sessions of all servables.',
          width: 12,
          unit: 'short',
          queries: [{ expr: now('millrace_sessions', 'name', 'name=~"$model"'), legend: '{{name}}' }],
        },
      ],
    },
    {
      title: 'Server',
      panels: [
        {
          title: 'CPU of the front',
          about: 'Of the process that speaks with clients; hosts are beside it. Near 1 it is what limits.',
          width: 6,
          unit: 'percentunit',
          queries: [{ expr: rate('process_cpu_seconds_total', 'instance', JOB), legend: '{{instance}}' }],
        },
        {
          title: 'Memory of the front',
          about: 'Resident, and of that JavaScript’s heap.',
          width: 6,
          unit: 'bytes',
          queries: [
            { expr: now('process_resident_memory_bytes', 'instance', JOB), legend: '{{instance}} resident' },
            { expr: now('nodejs_heap_size_used_bytes', 'instance', JOB), legend: '{{instance}} heap' },
          ],
        },
        {
          title: 'Event loop lag',
          about: 'How late the front is; above 50 ms clients feel it.',
          width: 6,
          unit: 's',
          queries: [{ expr: `max by(instance) (nodejs_eventloop_lag_p99_seconds{${JOB}})`, legend: '{{instance}}' }],
        },
        {
          title: 'CPU of the machine',
          about: 'All processes: hosts, decoders and what else runs there.',
          width: 6,
          unit: 'percentunit',
          queries: [{ expr: `max by(instance) (nv_cpu_utilization{${JOB}})`, legend: '{{instance}}' }],
        },
      ],
    },
  ],
};
