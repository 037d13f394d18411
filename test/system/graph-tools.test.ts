import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { OpenStream } from '../support/open-stream.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const EDGES = 'input_stream: "input"\noutput_stream: "output"\n';
const subgraph = (calculator: string): string =>
  `type: "Inside"\ninput_stream: "IN:x"\noutput_stream: "OUT:y"\nnode { calculator: "${calculator}" input_stream: "x" output_stream: "y" }`;

let folder: ScratchFolder;
let server: TestServer;
beforeAll(async () => {
  folder = await ScratchFolder.create();
  await folder.put(
    'traced/graph.pbtxt',
    `${EDGES}profiler_config { trace_enabled: true trace_log_path: "${folder.path}/traces/t_" }
     node { calculator: "CounterCalculator" name: "sum" input_stream: "input" output_stream: "output" }`,
  );
  await folder.put(
    'nested/graph.pbtxt',
    `${EDGES}node { calculator: "Inside" input_stream: "IN:input" output_stream: "OUT:output" }`,
  );
  await folder.put('nested/inside.pbtxt', subgraph('CounterCalculator'));
  const path = await folder.put('config.json', {
    mediapipe_config_list: [{ name: 'traced' }, { name: 'nested' }],
    model_config_list: [],
  });
  server = await startServer({ config: path, flags: ['--hosts', '1'] });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const traces = (): Promise<string[]> => readdir(join(folder.path, 'traces')).catch(() => []);

it('a graph with profiler_config writes a trace of each session at its end', async () => {
  for (const count of [1, 2]) {
    const stream = new OpenStream(server.grpcAddress, 'traced');
    expect([await stream.add(1), await stream.add(2)]).toEqual([1, 3]);
    expect((await traces()).length).toBe(count - 1);
    expect(await stream.close()).toBe(0);
    await expect.poll(async () => (await traces()).length).toBe(count);
  }
  const [name = ''] = await traces();
  expect(name).toMatch(/^t_traced_\d+_\d{8}T\d+\.\d+Z_\d+\.json$/);
  const { traceEvents } = JSON.parse(await readFile(join(folder.path, 'traces', name), 'utf8')) as {
    traceEvents: { name: string; ph: string; args?: Record<string, unknown> }[];
  };
  expect(
    traceEvents.filter(({ ph }) => ph === 'X').map((event) => [event.name, event.args?.['input_timestamp']]),
  ).toEqual([
    ['Open', 'Timestamp::Unstarted()'],
    ['Process', 0],
    ['Process', 1],
    ['Close', 'Timestamp::Done()'],
  ]);
});

it('GET …/graph is the validated graph, subgraphs expanded; a subgraph that changes changes the graph', async () => {
  const calculators = async (): Promise<string[]> => {
    const reply = await fetch(`${server.restUrl}/v2/models/nested/graph`);
    const { nodes } = (await reply.json()) as { nodes: { name: string; calculator: string }[] };
    return nodes.map(({ name, calculator }) => `${name}: ${calculator}`);
  };
  expect(await calculators()).toEqual(['inside__CounterCalculator: CounterCalculator']);
  await folder.put('nested/inside.pbtxt', subgraph('PassThroughCalculator'));
  await expect.poll(calculators).toEqual(['inside__PassThroughCalculator: PassThroughCalculator']);
});
