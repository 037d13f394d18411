import type { DashboardSpec } from '../panel.ts';
import { mean, now, quantiles, rate } from './queries.ts';

const MODEL = 'name=~"$model",version=~"$version"';
const REQUEST = `${MODEL},interface=~"$interface"`;
const TIME = 'ovms_request_time_us';

const within = (bound: number): string =>
  `sum by(name) (rate(${TIME}_bucket{${REQUEST},le="${bound}"}[$__rate_interval]))`;

/** Models and all else that answers unary requests: the panels of OVMS's `grafana_dashboard.json`, and batches and hosts. */
export const models: DashboardSpec = {
  uid: 'millrace-models',
  title: 'Millrace models',
  about: 'Unary requests: throughput, latency, waiting, batches.',
  variables: [
    { name: 'model', label: 'Model', metric: 'ovms_current_requests', of: 'name' },
    { name: 'version', label: 'Version', metric: 'ovms_current_requests{name=~"$model"}', of: 'version' },
    { name: 'interface', label: 'Interface', metric: 'ovms_request_time_us_count', of: 'interface' },
  ],
  rows: [
    {
      title: 'Requests',
      panels: [
        {
          title: 'Throughput',
          about: 'Requests that were answered well.',
          unit: 'reqps',
          queries: [
            {
              expr: rate('ovms_requests_success', 'name, version', `${REQUEST},method="ModelInfer"`),
              legend: '{{name}} {{version}}',
            },
          ],
        },
        {
          title: 'Failures',
          about: 'By cause: REJECTED was wrong, CANCELED the client left, BACKEND the model failed, OTHER the rest.',
          unit: 'reqps',
          queries: [
            {
              expr: rate('nv_inference_request_failure', 'model, reason', 'model=~"$model",version=~"$version"'),
              legend: '{{model}} {{reason}}',
            },
          ],
        },
        {
          title: 'Requests in process',
          about: 'Under way now, waiting ones included.',
          unit: 'short',
          queries: [{ expr: now('ovms_current_requests', 'name, version', MODEL), legend: '{{name}} {{version}}' }],
        },
        {
          title: 'Mean latency',
          about: 'From a request’s coming to its answer, in the server.',
          unit: 'µs',
          queries: [{ expr: mean(TIME, 'name, version', REQUEST), legend: '{{name}} {{version}}' }],
        },
        {
          title: 'Latency quantiles',
          about: 'Of all chosen models together.',
          unit: 'µs',
          queries: quantiles(TIME, REQUEST, [0.5, 0.75, 0.9, 0.99]),
        },
        {
          title: 'Latency heatmap',
          about: 'Answers by how long they took.',
          kind: 'heatmap',
          unit: 'µs',
          queries: [{ expr: `sum by(le) (increase(${TIME}_bucket{${REQUEST}}[$__rate_interval]))`, legend: '{{le}}' }],
        },
        {
          title: 'Latency distribution',
          about: 'Since the server started; bounds in µs.',
          kind: 'buckets',
          unit: 'µs',
          queries: [{ expr: `sum by(le) (${TIME}_bucket{${REQUEST}})`, legend: '{{le}}' }],
        },
        {
          title: 'Apdex',
          about: '1: all answers within 67 ms; those within 219 ms count half. As in OVMS’s dashboard.',
          unit: 'percentunit',
          queries: [
            {
              expr: `(${within(67466)} + ${within(218591)}) / 2 / (${rate(`${TIME}_count`, 'name', REQUEST)} > 0)`,
              legend: '{{name}}',
            },
          ],
        },
        {
          title: 'Instances',
          about: 'Hosts that have the model: so many runs of it are possible at once (ovms_streams).',
          unit: 'short',
          queries: [{ expr: now('ovms_streams', 'name, version', MODEL), legend: '{{name}} {{version}}' }],
        },
      ],
    },
    {
      title: 'Execution',
      panels: [
        {
          title: 'Mean inference time',
          about: 'One run of the model, of a whole batch.',
          width: 6,
          unit: 'µs',
          queries: [{ expr: mean('ovms_inference_time_us', 'name, version', MODEL), legend: '{{name}} {{version}}' }],
        },
        {
          title: 'Mean wait',
          about: 'From a request’s coming to its run. Grows when there is more to do than the hosts can.',
          width: 6,
          unit: 'µs',
          queries: [
            { expr: mean('ovms_wait_for_infer_req_time_us', 'name, version', MODEL), legend: '{{name}} {{version}}' },
          ],
        },
        {
          title: 'Inference requests',
          about:
            'Runs that have a client’s request, of those that are possible at once (ovms_infer_req_active, _queue_size).',
          width: 6,
          unit: 'short',
          queries: [
            { expr: now('ovms_infer_req_active', 'name, version', MODEL), legend: '{{name}} {{version}} active' },
            { expr: now('ovms_infer_req_queue_size', 'name, version', MODEL), legend: '{{name}} {{version}} possible' },
          ],
        },
        {
          title: 'Busy',
          about: 'Runs under way, on average: near the number of instances, there is no room left.',
          width: 6,
          unit: 'short',
          queries: [
            {
              expr: `${rate('ovms_inference_time_us_sum', 'name, version', MODEL)} / 1e6`,
              legend: '{{name}} {{version}}',
            },
          ],
        },
        {
          title: 'Mean batch',
          about: 'Rows of one run.',
          width: 6,
          unit: 'short',
          queries: [{ expr: mean('millrace_batch_size', 'name, version', MODEL), legend: '{{name}} {{version}}' }],
        },
        {
          title: 'Execution providers',
          about: 'What models run on. cpu where a GPU was asked for: the log says why.',
          kind: 'number',
          width: 18,
          unit: 'short',
          queries: [
            { expr: `count by(provider) (millrace_model_provider{${MODEL}})`, legend: 'models on {{provider}}' },
          ],
        },
      ],
    },
  ],
};
