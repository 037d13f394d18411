/** Hosts that hang in the midst of a pipeline's frames are replaced, without any setting for it but its length. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { callPipelines } from '../support/pipelines-api.ts';
import { scriptGraph } from '../support/script-graphs.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { until } from '../support/until.ts';

// Servers start, videos are decoded: each wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

/** A graph that is one model, for pictures. */
const modelGraph = (name: string): string => `
  input_stream: "image" output_stream: "out"
  node {
    calculator: "OpenVINOModelServerSessionCalculator" output_side_packet: "SESSION:session"
    node_options { [type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions] { servable_name: "${name}" } }
  }
  node {
    calculator: "OpenVINOInferenceCalculator" input_side_packet: "SESSION:session"
    input_stream: "INPUT:image" output_stream: "OUTPUT:out"
  }`;

/** Does not come back from its seventh picture: it spins, or waits for what never comes. */
const hangingScript = (atLast: string): string => `
let seen = 0;
export default {
  execute([picture]) {
    if (++seen === 7) ${atLast}
    return [{ ...picture, name: 'out' }];
  },
};
`;

/** Dark for two seconds, then bright, which is what the model \`stuck\` hangs on. */
const TURNS_BRIGHT = 'lavfi:color=white:size=32x32:rate=10,fade=t=in:st=2:d=0.1';

interface Line {
  readonly id: string;
  readonly state: string;
  readonly events: readonly { readonly event_type: string; readonly payload: Readonly<Record<string, unknown>> }[];
  readonly report: { readonly results: number; readonly host_losses: number };
}

let folder: ScratchFolder;
let server: TestServer;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  await folder.put('stuck.pbtxt', modelGraph('stuck'));
  for (const [name, atLast] of [
    ['spins', 'for (;;);'],
    ['waits', 'return new Promise(() => {});'],
  ] as const) {
    await folder.put(`${name}.mjs`, hangingScript(atLast));
    await folder.put(`${name}.pbtxt`, scriptGraph({ script: `${name}.mjs` }));
  }
  const config = await folder.put(
    'config.json',
    JSON.stringify({
      model_config_list: [{ config: { name: 'stuck', base_path: join(ROOT, 'test/fixtures/models/stuck.onnx') } }],
      mediapipe_config_list: [
        { name: 'picture', base_path: folder.path, graph_path: 'stuck.pbtxt' },
        { name: 'spins', base_path: folder.path, graph_path: 'spins.pbtxt', call_deadline_ms: 2000 },
        { name: 'waits', base_path: folder.path, graph_path: 'waits.pbtxt', call_deadline_ms: 2000 },
      ],
      pipelines: { allow: { schemes: ['lavfi'] } },
    }),
  );
  server = await startServer({ config, flags: ['--hosts', '1', '--pipeline_run_deadline_ms', '3000'] });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const call = (...request: [method: string, path: string, body?: object]): Promise<unknown> =>
  callPipelines(server, ...request);
const look = async (id: string): Promise<Line> => (await call('GET', `/${id}`)) as Line;
const create = async (model_id: string, video_reference: string): Promise<string> =>
  ((await call('POST', '', { model_id, video_reference })) as Line).id;

const errors = ({ events }: Line): string[] =>
  events.flatMap(({ payload }) => (typeof payload['error_message'] === 'string' ? [payload['error_message']] : []));

async function seen(id: string, isSo: (line: Line) => boolean): Promise<Line> {
  let line = await look(id);
  await until(async () => isSo((line = await look(id)))).catch(() => expect.fail(JSON.stringify(line)));
  return line;
}

test('a model that never comes back costs its host: the pipelines there start again, and are told why', async () => {
  const bystander = await create('picture', 'lavfi:color=black:size=32x32:rate=10');
  const id = await create('picture', TURNS_BRIGHT);
  const lost = await seen(id, ({ report }) => report.host_losses > 0);
  expect(errors(lost).join()).toContain(
    'a model run took longer than 3000 ms in a host with video pipelines (pipeline_run_deadline_ms) and its host was killed',
  );
  await seen(id, ({ state, report }) => state === 'running' && report.results > lost.report.results);
  await call('DELETE', `/${id}`);
  const { report } = await look(bystander);
  await seen(bystander, (now) => now.state === 'running' && now.report.results > report.results + 5);
  await call('DELETE', `/${bystander}`);
});

test('a script that never comes back costs its host, which no other has; its pipeline starts again', async () => {
  const id = await create('spins', 'lavfi:testsrc2=size=32x32:rate=10');
  const lost = await seen(id, ({ report }) => report.host_losses > 0);
  expect(errors(lost).join()).toContain('a call of its code did not return within 2000 ms (call_deadline_ms)');
  await seen(id, ({ report }) => report.results > lost.report.results);
  await call('DELETE', `/${id}`);
});

test('a script that never settles costs its session: the pipeline goes on with another', async () => {
  const id = await create('waits', 'lavfi:testsrc2=size=32x32:rate=10');
  const failed = await seen(id, (line) => errors(line).length > 0);
  expect(errors(failed).join()).toContain('2000 ms');
  await seen(id, ({ report }) => report.results > failed.report.results + 5);
  expect((await look(id)).report.host_losses).toBe(0);
  await call('DELETE', `/${id}`);
});

test('a host that is stopped is replaced, within a run as outside of one', async () => {
  const id = await create('picture', 'lavfi:color=black:size=32x32:rate=30');
  await seen(id, ({ report }) => report.results > 10);
  const decoder = server.children().find(({ pid }) => commandOf(pid).includes('ffmpeg'));
  process.kill(decoder?.parent ?? 0, 'SIGSTOP');
  const lost = await seen(id, ({ report }) => report.host_losses === 1);
  await seen(id, ({ state, report }) => state === 'running' && report.results > lost.report.results);
  await call('DELETE', `/${id}`);
  expect((await look(id)).state).toBe('terminated');
});

test('a model that never comes back in another host than the pipeline’s costs that host', async () => {
  const model = { name: 'stuck', base_path: join(ROOT, 'test/fixtures/models/stuck.onnx'), instances: 1 };
  const config = await folder.put(
    'afar.json',
    JSON.stringify({
      model_config_list: [{ config: model }],
      mediapipe_config_list: [{ name: 'picture', base_path: folder.path, graph_path: 'stuck.pbtxt' }],
      pipelines: { allow: { schemes: ['lavfi'] } },
    }),
  );
  await using two = await startServer({ config, flags: ['--hosts', '2', '--pipeline_run_deadline_ms', '3000'] });
  const ask = (...request: [method: string, path: string, body?: object]): Promise<unknown> =>
    callPipelines(two, ...request);
  // It takes the first host, which has the model; the other one is left for the second pipeline.
  const first = { model_id: 'picture', video_reference: 'lavfi:color=black:size=32x32:rate=10' };
  const { id: placeholder } = (await ask('POST', '', first)) as Line;
  const { id } = (await ask('POST', '', { model_id: 'picture', video_reference: TURNS_BRIGHT })) as Line;
  await ask('DELETE', `/${placeholder}`);
  const lookAt = async (): Promise<Line> => (await ask('GET', `/${id}`)) as Line;
  await until(async () => (await lookAt()).report.results > 0);
  await until(() => two.logs().includes('pipeline_run_deadline_ms'), 'the host of the model is replaced');
  await ask('DELETE', `/${id}`);
  expect((await lookAt()).report.host_losses).toBe(0);
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
