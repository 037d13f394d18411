import type { DashboardSpec } from '../panel.ts';
import { now, quantile, quantiles, rate } from './queries.ts';

const GRAPH = 'name=~"$graph"';
/** Metrics that hosts report name the servable so. */
const NODES = 'model_name=~"$graph"';
const PROCESSING = 'ovms_graph_processing_time_us';
const LATENCY = 'ovms_graph_request_latency_us';

/** Graphs: the panels of OVMS's `grafana_mediapipe.json` by their titles, and what that lacks. */
export const graphs: DashboardSpec = {
  uid: 'millrace-graphs',
  title: 'Millrace graphs',
  about: 'Sessions and unary requests of graphs: traffic, latency, time by node, queues and drops.',
  variables: [{ name: 'graph', label: 'Graph', metric: 'ovms_current_graphs', of: 'name' }],
  rows: [
    {
      title: 'Traffic',
      panels: [
        {
          title: 'Graphs in process',
          about: 'Open sessions and unary requests under way.',
          unit: 'short',
          queries: [{ expr: now('ovms_current_graphs', 'name', GRAPH), legend: '{{name}}' }],
        },
        {
          title: 'Requests and responses',
          about: 'Requests whose packets a graph took, and packets that came out.',
          unit: 'reqps',
          queries: [
            { expr: rate('ovms_requests_accepted', 'name', GRAPH), legend: '{{name}} in' },
            { expr: rate('ovms_responses', 'name', GRAPH), legend: '{{name}} out' },
          ],
        },
        {
          title: 'Rejected requests and graph errors',
          about: 'Rejected: the request was wrong. Errors: the graph failed while it ran; the log says why.',
          unit: 'reqps',
          queries: [
            { expr: rate('ovms_requests_rejected', 'name, method', GRAPH), legend: '{{name}} {{method}} rejected' },
            { expr: rate('ovms_graph_error', 'name, method', GRAPH), legend: '{{name}} {{method}} failed' },
          ],
        },
      ],
    },
    {
      title: 'Time',
      panels: [
        {
          title: 'Request latency quantiles',
          about: 'From an input packet to the output packet of its timestamp, in sessions.',
          unit: 'µs',
          queries: quantiles(LATENCY, GRAPH),
        },
        {
          title: 'Request latency (time between input and output packet)',
          about: 'The same as a heatmap.',
          kind: 'heatmap',
          unit: 'µs',
          queries: [{ expr: `sum by(le) (increase(${LATENCY}_bucket{${GRAPH}}[$__rate_interval]))`, legend: '{{le}}' }],
        },
        {
          title: 'Request Latency Distribution',
          about: 'Since the server started; bounds in µs.',
          kind: 'buckets',
          unit: 'µs',
          queries: [{ expr: `sum by(le) (${LATENCY}_bucket{${GRAPH}})`, legend: '{{le}}' }],
        },
        {
          title: 'Processing time 95th quantile',
          about: 'A unary request from its coming to its answer; of a stream, its whole life.',
          unit: 'µs',
          queries: [{ expr: quantile(0.95, PROCESSING, GRAPH), legend: 'p95' }],
        },
        {
          title: 'Processing time heatmap',
          about: 'Ends of unary requests and streams by how long they took.',
          kind: 'heatmap',
          unit: 'µs',
          queries: [{ expr: `sum by(le) (changes(${PROCESSING}_bucket{${GRAPH}}[1m]))`, legend: '{{le}}' }],
        },
        {
          title: 'Processing Time Distribution',
          about: 'Since the server started; bounds in µs.',
          kind: 'buckets',
          unit: 'µs',
          queries: [{ expr: `sum by(le) (${PROCESSING}_bucket{${GRAPH}})`, legend: '{{le}}' }],
        },
      ],
    },
    {
      title: 'Nodes',
      panels: [
        {
          title: 'Time per call by node',
          about: 'Mean of a call of Process; asynchronous ones until they settle, models with their wait.',
          width: 12,
          unit: 'µs',
          queries: [
            {
              expr: `${rate('millrace_graph_node_time_us', 'model_name, node', NODES)} / (${rate('millrace_graph_node_calls', 'model_name, node', NODES)} > 0)`,
              legend: '{{model_name}} {{node}}',
            },
          ],
        },
        {
          title: '95th quantile by node',
          about: 'Of the calls of each node; the ten slowest.',
          width: 12,
          unit: 'µs',
          queries: [
            {
              expr: `topk(10, histogram_quantile(0.95, ${rate('millrace_graph_node_processing_time_us_bucket', 'model_name, node, le', NODES)}) > 0)`,
              legend: '{{model_name}} {{node}}',
            },
          ],
        },
        {
          title: 'Calls by node',
          about: 'How often nodes run: a detector that runs only when tracking is lost shows here.',
          width: 12,
          unit: 'cps',
          queries: [
            { expr: rate('millrace_graph_node_calls', 'model_name, node', NODES), legend: '{{model_name}} {{node}}' },
          ],
        },
        {
          title: 'Busiest nodes',
          about:
            'The ten nodes with the most time in calls per second of wall time; above 1: in several sessions at once.',
          width: 12,
          unit: 's',
          stacked: true,
          queries: [
            {
              expr: `topk(10, ${rate('millrace_graph_node_time_us', 'model_name, node', NODES)}) / 1e6`,
              legend: '{{model_name}} {{node}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Queues and drops',
      panels: [
        {
          title: 'Queued packets',
          about: 'What waits in sessions. A queue that only grows: the graph is slower than its clients.',
          width: 6,
          unit: 'short',
          queries: [{ expr: now('millrace_graph_queued_packets', 'name', GRAPH), legend: '{{name}}' }],
        },
        {
          title: 'Queued bytes',
          about: 'A session may hold max_session_bytes.',
          width: 6,
          unit: 'bytes',
          queries: [{ expr: now('millrace_graph_queued_bytes', 'name', GRAPH), legend: '{{name}}' }],
        },
        {
          title: 'Dropped packets by cause',
          about:
            'newest_input: input_policy "newest"; queue_policy: a FixedSize input policy of the graph; flow_limiter: such a calculator.',
          width: 6,
          unit: 'pps',
          queries: [
            { expr: rate('millrace_graph_drops', 'model_name, cause', NODES), legend: '{{model_name}} {{cause}}' },
          ],
        },
        {
          title: 'Sessions refused',
          about: 'Because max_sessions was reached, of the servable or of the server.',
          width: 6,
          unit: 'ops',
          queries: [{ expr: rate('millrace_sessions_refused', 'name, scope', GRAPH), legend: '{{name}} {{scope}}' }],
        },
      ],
    },
  ],
};
