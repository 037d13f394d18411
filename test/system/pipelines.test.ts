/** Video pipelines on a real server, over each of its doors and from the command line. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { CLIP_FRAMES, frameIdOf, PipelineServer, udpReceiver, type PipelineLine } from '../support/pipelines-server.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { command } from '../support/stream-manager.ts';
import { until } from '../support/until.ts';

// Servers start, videos are decoded: each wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

const run = promisify(execFile);

let world: PipelineServer;
let server: TestServer;
beforeAll(async () => {
  world = await PipelineServer.start();
  ({ server } = world);
});
afterAll(() => world[Symbol.asyncDispose]());

test("the page's client, verbatim: start, list, status, pause, resume, terminate; results come by UDP", async () => {
  const { port, got, socket } = await udpReceiver();
  const script = join(ROOT, 'test/system/pipelines/page_client.py');
  const { stdout } = await run('python3', [script, server.restUrl, world.clip, String(port)]);
  const told = JSON.parse(stdout) as {
    readonly started: { readonly context: { readonly pipeline_id: string } };
    readonly paused_again: { readonly message: string };
    readonly terminated_again: { readonly message: string };
    readonly report: { readonly sources_metadata: readonly object[] };
  };
  const id = told.started.context.pipeline_id;
  expect(told).toMatchObject({
    listed: [id],
    paused: 'success',
    paused_state: 'MUTED',
    resumed: 'success',
    terminated: 'success',
    left: [],
  });
  expect(told.paused_again.message).toContain('Could not MUTE stream in state: StreamState.MUTED');
  expect(told.terminated_again.message).toContain('Error type: not_found');
  expect(told.report.sources_metadata[0]).toMatchObject({
    source_reference: world.clip,
    source_properties: { width: 200, height: 150, total_frames: CLIP_FRAMES, is_file: true, fps: 15 },
    buffer_filling_strategy: 'WAIT',
    buffer_consumption_strategy: 'LAZY',
  });
  // No frame was lost to the pause.
  expect(got.length).toBeGreaterThan(10);
  expect(got.map(frameIdOf)).toEqual(got.map((_, i) => i + 1));
  const [first] = got;
  expect(first).toMatchObject({ image: { width: 200, height: 150 }, millrace: { pipeline_id: id, sequence: 1 } });
  const classes = (first?.['predictions'] as { class: string }[] | undefined)?.map((found) => found.class);
  expect(classes).toContain('triangle');
  expect(classes).toContain('square');
  socket.close();
});

test('over TCP: every frame of a file, then ENDED, with the report readable until it is terminated', async () => {
  const { port, got, socket } = await udpReceiver();
  const init = {
    type: 'init',
    model_id: 'shapes-project/3',
    video_reference: world.clip,
    sink_configuration: { type: 'udp_sink', host: 'localhost', port },
    model_configuration: { type: 'object-detection', confidence: 0.4 },
  };
  const { response, pipeline_id } = await command(world.managerPort, init);
  expect(response.status).toBe('success');
  await until(() => got.length === CLIP_FRAMES);
  expect(got.map(frameIdOf)).toEqual(Array.from({ length: CLIP_FRAMES }, (_, i) => i + 1));
  // Roboflow's numbers: whole corners, names from the cache.
  const found = got[0]?.['predictions'] as { x: number; class: string; width: number }[];
  expect(found.map((each) => each.class)).toContain('triangle');
  for (const { x, width } of found) expect([(x * 2) % 1, width % 1]).toEqual([0, 0]);
  await until(async () => {
    const status = await command(world.managerPort, { type: 'status', pipeline_id });
    const report = status.response['report'] as { sources_metadata: { state: string }[] };
    return report.sources_metadata[0]?.state === 'ENDED';
  });
  expect((await command(world.managerPort, { type: 'list_pipelines' })).response['pipelines']).toEqual([pipeline_id]);
  expect((await command(world.managerPort, { type: 'terminate', pipeline_id })).response).toEqual({
    status: 'success',
  });
  socket.close();
});

test('init failures leave no process and no pipeline', async () => {
  const before = server.children().length;
  const missing = await world.create({ video_reference: join(world.folder.path, 'none.mp4') });
  await until(async () => (await world.look(missing)).state === 'ended');
  expect((await world.look(missing)).report.sources[0]).toMatchObject({
    state: 'ERROR',
    last_error: expect.stringMatching(/No such file/) as string,
  });
  for (const given of [
    { model_id: 'sensor' },
    { video_reference: 'concat:/etc/passwd' },
    { max_fps: 'x' },
    { sinks: [{ type: 'x' }] },
    { sinks: [{ type: 'json_lines', path: '/etc/x' }] },
  ]) {
    const response = await world.call('POST', '/v1/pipelines', world.bodyOf(given));
    expect([400, 403, 404]).toContain(response.status);
  }
  expect(server.children().length).toBe(before);
});

test('results, pictures and events over HTTP; thresholds change while it runs', async () => {
  const id = await world.create({
    video_reference: 'lavfi:testsrc2=size=200x150:rate=15',
    id: 'live',
    name: 'gate',
    sinks: [{ type: 'memory' }],
  });
  expect(id).toBe('live');
  const picture = await world.call('GET', '/v1/pipelines/live/frame.jpg');
  expect(picture.headers.get('content-type')).toBe('image/jpeg');
  expect([...new Uint8Array(await picture.arrayBuffer()).subarray(0, 2)]).toEqual([0xff, 0xd8]);

  const preview = await world.call('GET', '/v1/pipelines/live/preview.mjpeg');
  expect(await readUntil(preview, (text) => text.split('Content-Type: image/jpeg').length > 3)).toContain(
    '--millrace-frame',
  );
  const events = await world.call('GET', '/v1/pipelines/live/events');
  const text = await readUntil(events, (read) => (read.match(/event: result/g) ?? []).length > 3);
  expect(text).toMatch(/event: update\ndata: \{.*"new_state":"RUNNING"/);

  await until(
    async () =>
      ((await (await world.call('POST', '/v1/pipelines/live/results?max=3')).json()) as { results: unknown[] }).results
        .length === 3,
  );
  const patched = await world.call(
    'PATCH',
    '/v1/pipelines/live',
    JSON.stringify({ model_configuration: { confidence: 0.9 }, max_fps: 5 }),
  );
  expect(await patched.json()).toMatchObject({ pipeline: { model_configuration: { confidence: 0.9 }, max_fps: 5 } });
  expect((await world.call('PATCH', '/v1/pipelines/live', '{"video_reference":"x"}')).status).toBe(400);
  const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
  expect(metrics).toMatch(/millrace_pipeline_frames_captured\{pipeline_id="live",source="0"\} \d+/);
  await world.remove('live');
  await world.remove('live');
  expect((await world.look('live')).state).toBe('terminated');
});

test('millrace pipelines: start, list, status, pause, resume, terminate, watch', async () => {
  const cli = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, ['bin/millrace.js', 'pipelines', ...args, '--url', server.restUrl], { cwd: ROOT }))
      .stdout;
  const id = (await cli('start', 'lavfi:testsrc2=size=200x150:rate=15', '--id', 'cli-1', '--fps', '10')).trim();
  expect(id).toBe('cli-1');
  await until(async () => (await world.look(id)).report.results > 2);
  expect(await cli('list')).toMatch(/PIPELINE .*\ncli-1 +lavfi:\S+ +RUNNING +detect +200x150 +\d+/);
  await cli('pause', id);
  expect((JSON.parse(await cli('status', id)) as PipelineLine).report.sources[0]?.state).toMatch(/MUTED|PAUSED/);
  await cli('resume', id);
  const watch = spawn(
    process.execPath,
    ['bin/millrace.js', 'pipelines', 'watch', '--interval', '0.2', '--url', server.restUrl],
    { cwd: ROOT },
  );
  let shown = '';
  watch.stdout.on('data', (chunk) => (shown += String(chunk)));
  await until(() => shown.split('PIPELINE').length > 2);
  watch.kill('SIGINT');
  const [code] = (await once(watch, 'close')) as [number];
  expect(code).toBe(0);
  await cli('terminate', id);
  expect(await cli('list')).toBe('no pipelines\n');
  await expect(cli('pause', 'nope')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('404') as string,
  });
});

test('the four cameras of the example are watched live, and end with the script', async () => {
  const example = join(ROOT, 'examples/stream-management');
  const flags = ['--hosts', '2', '--stream_manager_port', '0'];
  await using cameras = await startServer({ config: join(example, 'config.json'), flags });
  const script = spawn('bash', [join(example, 'four-cameras.sh'), cameras.restUrl], { detached: true });
  let shown = '';
  script.stdout.on('data', (chunk) => (shown += String(chunk)));
  const list = async (): Promise<PipelineLine[]> =>
    ((await (await fetch(`${cameras.restUrl}/v1/pipelines`)).json()) as { pipelines: PipelineLine[] }).pipelines;
  const closed = once(script, 'close');
  const signal = (name: 'SIGINT' | 'SIGKILL'): void => {
    if (script.exitCode === null && script.signalCode === null) process.kill(-(script.pid ?? 0), name);
  };
  try {
    await until(async () => (await list()).length === 4, 'the script starts four pipelines');
    const isShown = (i: number): boolean => new RegExp(`camera-${i} +lavfi:\\S+ +RUNNING`).test(shown);
    await until(() => [1, 2, 3, 4].every(isShown)).catch(() => expect.fail(shown));
    signal('SIGINT');
    await closed;
  } finally {
    signal('SIGKILL');
  }
  const pipelines = await list();
  expect(pipelines.map(({ state }) => state)).toEqual(['terminated', 'terminated', 'terminated', 'terminated']);
});

async function readUntil({ body }: Response, isEnough: (text: string) => boolean): Promise<string> {
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader();
  let text = '';
  while (reader !== undefined && !isEnough(text)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += Buffer.from(value).toString('latin1');
  }
  await reader?.cancel();
  return text;
}
