/** The dashboards' queries on a real Prometheus that asks a real server, under a little load of every kind. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DASHBOARDS } from '../../extras/grafana/dashboards.ts';
import { OVMS_TIME_BOUNDS_US } from '../../src/serving/metric-bounds.ts';
import { encodeBytes } from '../../src/tensor/bytes.ts';
import { tensorOf, type Tensor } from '../../src/tensor/tensor.ts';
import { Dashboard } from '../support/grafana-dashboard.ts';
import { ROOT } from '../support/paths.ts';
import { Prometheus, type Series } from '../support/prometheus.ts';
import { RawStream } from '../support/raw-stream.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPrometheus) console.warn('prometheus is not installed (apt-get install prometheus): dashboards are not tested');

/** How long data may take to come; ample on a busy machine. */
const SEEN = { timeout: 50_000, interval: 500 };

const graph = (node: string): string => `input_stream: "IN:in" output_stream: "OUT:out" node { ${node} }`;
const PASS = graph('name: "pass" calculator: "PassThroughCalculator" input_stream: "in" output_stream: "out"');
const WAIT = graph(
  `name: "wait" calculator: "ScriptCalculator" input_stream: "IN:in" output_stream: "OUT:out"
   node_options { [type.googleapis.com/millrace.ScriptCalculatorOptions] { handler_path: "wait.js" } }`,
);
const LIMITED = `
  input_stream: "IN:in" output_stream: "OUT:out"
  node { calculator: "FlowLimiterCalculator" input_stream: "in" input_stream: "FINISHED:out" output_stream: "some"
         input_stream_info { tag_index: "FINISHED" back_edge: true } }
  node { name: "slow" calculator: "ScriptCalculator" input_stream: "IN:some" output_stream: "OUT:out"
         node_options { [type.googleapis.com/millrace.ScriptCalculatorOptions] { handler_path: "wait.js" } } }`;

let folder: ScratchFolder;
let server: TestServer;
let prometheus: Prometheus;
let isOver = false;
let loads: Promise<unknown> = Promise.resolve();

const number = (value: number): Tensor[] => [tensorOf('in', 'FP32', [1], Float32Array.of(value))];
const json = (model: string, inputs: readonly object[]): Promise<Response> =>
  fetch(`${server.restUrl}/v2/models/${model}/infer`, { method: 'POST', body: JSON.stringify({ inputs }) });
const numbers = (name: string, shape: readonly number[], data: readonly number[]): object => ({
  name,
  datatype: 'FP32',
  shape,
  data,
});

/** A stream of a graph, with more than it can do at a time, and one wrong request. */
async function useGraph(name: string): Promise<void> {
  const stream = new RawStream(server.grpcAddress, name);
  stream.send([tensorOf('wrong', 'FP32', [1], Float32Array.of(1))]);
  for (let i = 0; i < 10; i++) stream.send(number(5));
  await delay(100);
  stream.halfClose();
  await stream.ended;
}

async function useRuntime(): Promise<void> {
  const stream = new RawStream(server.grpcAddress, 'words');
  const data = encodeBytes(['one two three four']);
  stream.send([{ name: 'prompt', datatype: 'BYTES', shape: [1], data }]);
  stream.halfClose();
  await stream.ended;
}

/** Until the tests are over, again and again. */
async function load(): Promise<void> {
  while (!isOver) {
    const pixels = numbers(
      'images',
      [1, 3, 160, 160],
      Array.from({ length: 3 * 160 * 160 }, () => 0.5),
    );
    await Promise.all([
      useGraph('pass'),
      useGraph('newest'),
      useGraph('limited'),
      useRuntime(),
      json('pass', [numbers('in', [1], [1])]),
      json('newest', [numbers('in', [1], [-1])]),
      json('shapes', [pixels]),
      json('shapes', [numbers('images', [1], [1])]),
    ]);
  }
}

async function startPipeline(): Promise<void> {
  const given = { model_id: 'detect', video_reference: 'lavfi:testsrc2=size=200x150:rate=15' };
  const response = await fetch(`${server.restUrl}/v1/pipelines`, { method: 'POST', body: JSON.stringify(given) });
  expect(response.status, await response.text()).toBe(201);
}

describe.skipIf(!hasPromtool)("Prometheus's own checker", () => {
  it('finds nothing in the configuration and the alerts', () => {
    const { status, stderr, stdout } = spawnSync('promtool', ['check', 'config', 'extras/prometheus/prometheus.yml'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(status, stdout + stderr).toBe(0);
  });
});

describe.skipIf(!hasPrometheus)('on a live server', () => {
  beforeAll(async () => {
    folder = await ScratchFolder.create();
    await folder.put('pass/graph.pbtxt', PASS);
    await folder.put('newest/graph.pbtxt', WAIT);
    await folder.put('limited/graph.pbtxt', LIMITED);
    for (const name of ['newest', 'limited']) {
      await folder.copy(join(ROOT, 'test/fixtures/scripts/wait.js'), `${name}/wait.js`);
    }
    const config = await folder.put('config.json', {
      mediapipe_config_list: [
        { name: 'pass' },
        { name: 'newest', input_policy: 'newest' },
        { name: 'limited' },
        { name: 'detect', base_path: join(ROOT, 'graphs/detect') },
      ],
      model_config_list: [{ config: { name: 'shapes', base_path: join(ROOT, 'models/shapes') } }],
      runtimes: [{ name: 'words', implementation: join(ROOT, 'models/words/words.js') }],
      pipelines: {
        models: { detect: { servable: 'detect', class_names: ['circle', 'square', 'triangle'] } },
        allow: { schemes: ['lavfi'] },
      },
    });
    server = await startServer({ config, flags: ['--hosts', '1'] });
    await startPipeline();
    prometheus = await Prometheus.start(new URL(server.restUrl).host);
    loads = load();
    loads.catch(() => {}); // told of at the end
  });
  afterAll(async () => {
    isOver = true;
    await loads;
    await prometheus[Symbol.asyncDispose]();
    await server.stop();
    await folder[Symbol.asyncDispose]();
  });

  for (const [file, written] of DASHBOARDS) {
    const { panels, templating } = Dashboard.parse(written);
    const variables = templating.list.flatMap((variable) => (variable.type === 'query' ? [variable] : []));

    it.each(variables)(`${file}: there are values of $name to choose from`, async ({ definition }) => {
      const [, match = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? [];
      await expect.poll(() => prometheus.labelValues(label, filled(match)), SEEN).not.toEqual([]);
    });

    const targets = panels.flatMap((panel) =>
      panel.type === 'row' ? [] : panel.targets.map((target) => ({ ...target, panel })),
    );
    it.each(targets)(
      `${file}: data for "$panel.title", $legendFormat`,
      async ({ expr, legendFormat, format, panel }) => {
        const query = filled(expr);
        await expect.poll(async () => (await prometheus.query(query)).some(isNumber), SEEN).toBe(true);
        const series = await prometheus.query(query);
        const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
        for (const { metric } of series) expect(Object.keys(metric)).toEqual(expect.arrayContaining(labels));
        // All buckets are there, and where the axis is in µs they are OVMS's.
        if (format !== 'heatmap') return;
        expect(panel.title).not.toBe('');
        const bounds = series.map(({ metric }) => metric['le']).toSorted((a, b) => Number(a) - Number(b));
        expect(bounds.map((bound) => Number(bound?.replace('+Inf', 'Infinity')))).toHaveLength(34);
        expect(new Set(bounds)).toEqual(new Set([...OVMS_TIME_BOUNDS_US.map((bound) => String(bound)), '+Inf']));
      },
    );
  }

  it('evaluates every alert without a fault', async () => {
    await expect
      .poll(async () => (await prometheus.rules()).map(({ health }) => health), SEEN)
      .not.toContain('unknown');
    expect((await prometheus.rules()).filter(({ health }) => health !== 'ok')).toEqual([]);
  });

  it.each([
    ['ovms_requests_success', 'name version api method interface'],
    ['ovms_requests_fail', 'name version api method interface'],
    ['ovms_request_time_us_bucket', 'name version interface le'],
    ['ovms_inference_time_us_bucket', 'name version le'],
    ['ovms_wait_for_infer_req_time_us_bucket', 'name version le'],
    ['ovms_streams', 'name version'],
    ['ovms_current_requests', 'name version'],
    ['ovms_infer_req_queue_size', 'name version'],
    ['ovms_infer_req_active', 'name version'],
    ['ovms_current_graphs', 'name'],
    ['ovms_requests_accepted', 'name api method interface'],
    ['ovms_requests_rejected', 'name api method interface'],
    ['ovms_graph_error', 'name api method interface'],
    ['ovms_responses', 'name api method interface'],
    ['ovms_graph_processing_time_us_bucket', 'name method le'],
    ['ovms_graph_request_latency_us_bucket', 'name method le'],
  ])("OVMS's %s has the labels %s", async (name, labels) => {
    await expect.poll(async () => (await prometheus.query(name)).length, SEEN).toBeGreaterThan(0);
    const expected = [...labels.split(' '), '__name__', 'instance', 'job'];
    // No version of graphs that are asked for metadata, nor of what is asked whether it is ready.
    for (const { metric } of await prometheus.query(name)) {
      const isQuestion =
        (metric['method'] ?? 'ModelInfer') === 'ModelReady' ||
        (metric['method'] === 'ModelMetadata' && metric['version'] === undefined);
      const own = isQuestion ? expected.filter((label) => label !== 'version') : expected;
      expect(Object.keys(metric).toSorted()).toEqual(own.toSorted());
    }
  });

  it('tells what nodes do: both graphs’ by their names, and that "newest" and a flow limiter dropped packets', async () => {
    const calls = (node: string): Promise<readonly Series[]> =>
      prometheus.query(`millrace_graph_node_calls{node="${node}"} > 0`);
    await expect.poll(async () => (await calls('pass'))[0]?.metric['model_name'], SEEN).toBe('pass');
    await expect.poll(async () => (await calls('wait'))[0]?.metric['model_name'], SEEN).toBe('newest');
    for (const [name, cause] of [
      ['newest', 'newest_input'],
      ['limited', 'flow_limiter'],
    ]) {
      const drops = `millrace_graph_drops{model_name="${name}",cause="${cause}"} > 0`;
      await expect.poll(async () => (await prometheus.query(drops)).length, SEEN).toBe(1);
    }
    // Its histogram tells the same calls, by OVMS's bounds.
    const same =
      'millrace_graph_node_processing_time_us_count{node="wait"} - on(node) millrace_graph_node_calls{node="wait"}';
    expect((await prometheus.query(same)).map(({ value }) => value[1])).toEqual(['0']);
    // A call of it waits for 5 ms.
    const [mean] = await prometheus.query(
      'sum(millrace_graph_node_time_us{node="wait"}) / sum(millrace_graph_node_calls{node="wait"})',
    );
    expect(Number(mean?.value[1])).toBeGreaterThan(1000);
  });
});

/** As Grafana fills it with "All" chosen: of a server that is asked each second, over ten. */
function filled(expression: string): string {
  return expression.replaceAll('$__rate_interval', '10s').replaceAll(/\$\w+/g, '.*');
}

const isNumber = ({ value: [, text] }: Series): boolean => Number.isFinite(Number(text));

it('the page of monitoring tells of every dashboard', async () => {
  const page = await readFile(join(ROOT, 'docs/monitoring.md'), 'utf8');
  for (const file of DASHBOARDS.keys()) {
    expect(existsSync(join(ROOT, 'extras/grafana/dashboards', file))).toBe(true);
    expect(page).toContain(file);
  }
});
