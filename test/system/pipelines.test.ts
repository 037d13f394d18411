/** Video pipelines on a real server: real hosts, ffmpeg, sockets. */
import { execFile, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ffmpeg } from '../support/clips.ts';
import { freePort } from '../support/free-port.ts';
import { isRunning } from '../support/leaks.ts';
import { ROOT } from '../support/paths.ts';
import { publish } from '../support/publish.ts';
import { RtspRelay } from '../support/rtsp-relay.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { command } from '../support/stream-manager.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const FRAMES = 75;

interface Line {
  readonly id: string;
  readonly state: string;
  readonly report: {
    readonly results: number;
    readonly host_losses: number;
    readonly sources: readonly {
      readonly state: string;
      readonly captured: number;
      readonly inferred: number;
      readonly dropped_muted: number;
      readonly reconnects: number;
      readonly last_error: string | null;
    }[];
    readonly sinks: readonly { readonly type: string; readonly delivered: number }[];
  };
}

let folder: ScratchFolder;
let clip: string;
let server: TestServer;
let managerPort: number;
let config: object;
const bodyOf = (given: object): string => JSON.stringify({ model_id: 'detect', video_reference: clip, ...given });

beforeAll(async () => {
  folder = await ScratchFolder.create();
  clip = join(folder.path, 'shapes.mp4');
  const raw = ['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', '200x150', '-framerate', '15'];
  const scene = join(ROOT, 'test/fixtures/shapes-scene.rgb');
  await ffmpeg(
    ...raw,
    '-stream_loop',
    String(FRAMES - 1),
    '-i',
    scene,
    '-c:v',
    'libx264',
    '-pix_fmt',
    'yuv420p',
    '-g',
    '15',
    '-crf',
    '10',
    clip,
  );
  await mkdir(join(folder.path, 'cache/shapes-project/3'), { recursive: true });
  await copyFile(join(ROOT, 'models/shapes/1/model.onnx'), join(folder.path, 'cache/shapes-project/3/weights.onnx'));
  await writeFile(
    join(folder.path, 'cache/shapes-project/3/model_type.json'),
    '{"project_task_type":"object-detection","model_type":"yolov8n"}',
  );
  await writeFile(join(folder.path, 'cache/shapes-project/3/class_names.txt'), 'circle\nsquare\ntriangle\n');
  const resize = { enabled: true, width: 160, height: 160, format: 'Fit (grey edges) in' };
  await writeFile(
    join(folder.path, 'cache/shapes-project/3/environment.json'),
    JSON.stringify({ PREPROCESSING: JSON.stringify({ resize }) }),
  );
  config = {
    mediapipe_config_list: [{ name: 'detect', base_path: join(ROOT, 'graphs/detect') }],
    model_config_list: [{ config: { name: 'shapes', base_path: join(ROOT, 'models/shapes') } }],
    roboflow_caches: [join(folder.path, 'cache')],
    pipelines: {
      models: { detect: { servable: 'detect', class_names: ['circle', 'square', 'triangle'] } },
      allow: { schemes: ['file', 'rtsp', 'http', 'lavfi'], sink_folders: [folder.path] },
    },
  };
  managerPort = await freePort();
  const flags = [
    '--hosts',
    '2',
    // A host that is stopped within a run of a graph's model is known to hang by this alone.
    '--run_deadline_ms',
    '5000',
    '--stream_manager_port',
    String(managerPort),
    '--pipelines_folder',
    join(folder.path, 'kept'),
  ];
  server = await startServer({ config, flags });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function call(method: string, path: string, body?: string): Promise<Response> {
  return fetch(`${server.restUrl}${path}`, { method, ...(body !== undefined && { body }) });
}

async function create(given: object): Promise<string> {
  const response = await call('POST', '/v1/pipelines', bodyOf(given));
  const text = await response.text();
  expect(response.status, text).toBe(201);
  return (JSON.parse(text) as Line).id;
}

async function look(id: string): Promise<Line> {
  return (await (await call('GET', `/v1/pipelines/${id}`)).json()) as Line;
}

async function remove(id: string): Promise<void> {
  expect((await call('DELETE', `/v1/pipelines/${id}`)).status).toBe(200);
}

/** A UDP port and what came to it. */
async function receiver(): Promise<{ port: number; got: Record<string, unknown>[]; socket: Socket }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const got: Record<string, unknown>[] = [];
  socket.on('message', (message) => got.push(JSON.parse(message.toString()) as Record<string, unknown>));
  return { port: socket.address().port, got, socket };
}

const frameId = (datagram: Record<string, unknown>): number =>
  (datagram['inference_metadata'] as { frame_id: number }).frame_id;

test("the page's client, verbatim: start, list, status, pause, resume, terminate; results come by UDP", async () => {
  const { port, got, socket } = await receiver();
  const script = join(ROOT, 'test/system/pipelines/page_client.py');
  const { stdout } = await run('python3', [script, server.restUrl, clip, String(port)]);
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
    source_reference: clip,
    source_properties: { width: 200, height: 150, total_frames: FRAMES, is_file: true, fps: 15 },
    buffer_filling_strategy: 'WAIT',
    buffer_consumption_strategy: 'LAZY',
  });
  // No frame was lost to the pause.
  expect(got.length).toBeGreaterThan(10);
  expect(got.map(frameId)).toEqual(got.map((_, i) => i + 1));
  const [first] = got;
  expect(first).toMatchObject({ image: { width: 200, height: 150 }, millrace: { pipeline_id: id, sequence: 1 } });
  const classes = (first?.['predictions'] as { class: string }[] | undefined)?.map((found) => found.class);
  expect(classes).toContain('triangle');
  expect(classes).toContain('square');
  socket.close();
});

test('over TCP: every frame of a file, then ENDED, with the report readable until it is terminated', async () => {
  const { port, got, socket } = await receiver();
  const init = {
    type: 'init',
    model_id: 'shapes-project/3',
    video_reference: clip,
    sink_configuration: { type: 'udp_sink', host: 'localhost', port },
    model_configuration: { type: 'object-detection', confidence: 0.4 },
  };
  const { response, pipeline_id } = await command(managerPort, init);
  expect(response.status).toBe('success');
  await until(() => got.length === FRAMES);
  expect(got.map(frameId)).toEqual(Array.from({ length: FRAMES }, (_, i) => i + 1));
  // Roboflow's numbers: whole corners, names from the cache.
  const found = got[0]?.['predictions'] as { x: number; class: string; width: number }[];
  expect(found.map((each) => each.class)).toContain('triangle');
  for (const { x, width } of found) expect([(x * 2) % 1, width % 1]).toEqual([0, 0]);
  await until(async () => {
    const status = await command(managerPort, { type: 'status', pipeline_id });
    const report = status.response['report'] as { sources_metadata: { state: string }[] };
    return report.sources_metadata[0]?.state === 'ENDED';
  });
  expect((await command(managerPort, { type: 'list_pipelines' })).response['pipelines']).toEqual([pipeline_id]);
  expect((await command(managerPort, { type: 'terminate', pipeline_id })).response).toEqual({ status: 'success' });
  socket.close();
});

test('init failures leave no process and no pipeline', async () => {
  const before = server.children().length;
  const missing = await create({ video_reference: join(folder.path, 'none.mp4') });
  await until(async () => (await look(missing)).state === 'ended');
  expect((await look(missing)).report.sources[0]).toMatchObject({
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
    const response = await call('POST', '/v1/pipelines', bodyOf(given));
    expect([400, 403, 404]).toContain(response.status);
  }
  expect(server.children().length).toBe(before);
});

describe('an RTSP camera', () => {
  test('is muted and goes on, is lost and comes back with growing frame ids, and is waited for from the start', async () => {
    await using relay = await RtspRelay.start();
    const { port, got, socket } = await receiver();
    const url = relay.url('cam').replace('rtsp://', 'rtsp://user:secret@');
    const id = await create({
      video_reference: url,
      sinks: [{ type: 'udp', host: '127.0.0.1', port }],
      stall_timeout_ms: 3000,
    });
    await until(async () => (await look(id)).report.sources[0]?.last_error !== null);
    expect(JSON.stringify(await look(id))).not.toContain('secret');
    const publishing = await publish(relay, 'cam', clip);
    await until(() => got.length > 5);

    await call('POST', `/v1/pipelines/${id}/pause`);
    await call('POST', `/v1/pipelines/${id}/pause`);
    await until(async () => ((await look(id)).report.sources[0]?.dropped_muted ?? 0) > 3);
    await call('POST', `/v1/pipelines/${id}/resume`);

    const before = got.length;
    relay.resetAll();
    await publishing[Symbol.asyncDispose]();
    await using _again = await publish(relay, 'cam', clip);
    await until(() => got.length > before + 10);
    await until(async () => ((await look(id)).report.sources[0]?.reconnects ?? 0) > 0);
    const ids = got.map(frameId);
    expect(ids.every((value, i) => i === 0 || value > (ids[i - 1] as number))).toBe(true);

    // A decoder that is killed is another loss.
    const decoder = server.children().find(({ pid }) => isFfmpeg(pid));
    process.kill(decoder?.pid ?? 0, 'SIGKILL');
    const then = got.length;
    await until(() => got.length > then + 5);
    await remove(id);
    await until(() => server.children().every(({ pid }) => !isFfmpeg(pid)));
    socket.close();
  });
});

test('a host that is killed costs its pipelines a moment: they start again, their numbers going on', async () => {
  const { port, got, socket } = await receiver();
  const id = await create({
    video_reference: 'lavfi:testsrc2=size=200x150:rate=15',
    sinks: [{ type: 'udp', host: '127.0.0.1', port }],
  });
  await until(() => got.length > 5);
  const decoder = server.children().find(({ pid }) => isFfmpeg(pid));
  process.kill(decoder?.parent ?? 0, 'SIGKILL');
  await until(async () => (await look(id)).report.host_losses === 1);
  const before = got.length;
  await until(() => got.length > before + 5);
  const sequences = got.map(({ millrace }) => (millrace as { sequence: number }).sequence);
  expect(sequences.at(-1)).toBeGreaterThan(before / 2);
  expect((await look(id)).state).toBe('running');
  await remove(id);
  socket.close();
});

test('a host that hangs: status is answered at once, others go on, and it is replaced', async () => {
  const source = 'lavfi:testsrc2=size=200x150:rate=15';
  const ids: string[] = [];
  const hostsOf = (): Set<number> =>
    new Set(
      server
        .children()
        .filter(({ pid }) => isFfmpeg(pid))
        .map(({ parent }) => parent),
    );
  // One that was replaced lately may have to load first.
  while (hostsOf().size < 2) {
    const id = await create({ video_reference: source });
    ids.push(id);
    await until(async () => (await look(id)).report.results > 3);
  }
  const hosts = hostsOf();
  const [stuck] = hosts;
  process.kill(stuck ?? 0, 'SIGSTOP');
  const answers = await Promise.all(ids.map((id) => command(managerPort, { type: 'status', pipeline_id: id })));
  expect(answers.every(({ response }) => response.status === 'success')).toBe(true);
  const before = await Promise.all(ids.map(look));
  await until(async () => {
    const now = await Promise.all(ids.map(look));
    return now.some(
      ({ report }, i) => report.host_losses === 0 && report.results > (before[i]?.report.results ?? 0) + 10,
    );
  });
  await until(async () => (await Promise.all(ids.map(look))).some(({ report }) => report.host_losses === 1));
  await until(async () => (await Promise.all(ids.map(look))).every(({ state }) => state === 'running'));
  for (const id of ids) await remove(id);
});

test('results, pictures and events over HTTP; thresholds change while it runs', async () => {
  const id = await create({
    video_reference: 'lavfi:testsrc2=size=200x150:rate=15',
    id: 'live',
    name: 'gate',
    sinks: [{ type: 'memory' }],
  });
  expect(id).toBe('live');
  const picture = await call('GET', '/v1/pipelines/live/frame.jpg');
  expect(picture.headers.get('content-type')).toBe('image/jpeg');
  expect([...new Uint8Array(await picture.arrayBuffer()).subarray(0, 2)]).toEqual([0xff, 0xd8]);

  const preview = await call('GET', '/v1/pipelines/live/preview.mjpeg');
  expect(await readUntil(preview, (text) => text.split('Content-Type: image/jpeg').length > 3)).toContain(
    '--millrace-frame',
  );
  const events = await call('GET', '/v1/pipelines/live/events');
  const text = await readUntil(events, (read) => (read.match(/event: result/g) ?? []).length > 3);
  expect(text).toMatch(/event: update\ndata: \{.*"new_state":"RUNNING"/);

  await until(
    async () =>
      ((await (await call('POST', '/v1/pipelines/live/results?max=3')).json()) as { results: unknown[] }).results
        .length === 3,
  );
  const patched = await call(
    'PATCH',
    '/v1/pipelines/live',
    JSON.stringify({ model_configuration: { confidence: 0.9 }, max_fps: 5 }),
  );
  expect(await patched.json()).toMatchObject({ pipeline: { model_configuration: { confidence: 0.9 }, max_fps: 5 } });
  expect((await call('PATCH', '/v1/pipelines/live', '{"video_reference":"x"}')).status).toBe(400);
  const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
  expect(metrics).toMatch(/millrace_pipeline_frames_captured\{pipeline_id="live",source="0"\} \d+/);
  await remove('live');
  await remove('live');
  expect((await look('live')).state).toBe('terminated');
});

test('millrace pipelines: start, list, status, pause, resume, terminate, watch', async () => {
  const cli = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, ['bin/millrace.js', 'pipelines', ...args, '--url', server.restUrl], { cwd: ROOT }))
      .stdout;
  const id = (await cli('start', 'lavfi:testsrc2=size=200x150:rate=15', '--id', 'cli-1', '--fps', '10')).trim();
  expect(id).toBe('cli-1');
  await until(async () => (await look(id)).report.results > 2);
  expect(await cli('list')).toMatch(/PIPELINE .*\ncli-1 +lavfi:\S+ +RUNNING +detect +200x150 +\d+/);
  await cli('pause', id);
  expect((JSON.parse(await cli('status', id)) as Line).report.sources[0]?.state).toMatch(/MUTED|PAUSED/);
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
  await until(() => [1, 2, 3, 4].every((i) => new RegExp(`camera-${i} +lavfi:\\S+ +RUNNING`).test(shown)), shown);
  process.kill(-(script.pid ?? 0), 'SIGINT');
  await once(script, 'close');
  const { pipelines } = (await (await fetch(`${cameras.restUrl}/v1/pipelines`)).json()) as { pipelines: Line[] };
  expect(pipelines.map(({ state }) => state)).toEqual(['terminated', 'terminated', 'terminated', 'terminated']);
});

test('SIGTERM with eight pipelines under way: every child gone, files playable; what persists is back', async () => {
  const own = join(folder.path, 'eight');
  const flags = ['--hosts', '2', '--pipelines_folder', own];
  const first = await startServer({ config, flags });
  const post = (given: object): Promise<Response> =>
    fetch(`${first.restUrl}/v1/pipelines`, {
      method: 'POST',
      body: bodyOf({ video_reference: 'lavfi:testsrc2=size=200x150:rate=15', ...given }),
    });
  const files = [0, 1].map((i) => join(folder.path, `out-${i}.mp4`));
  for (let i = 0; i < 8; i++) {
    const target = files[i];
    const response = await post({
      id: `p${i}`,
      persist: i === 7,
      sinks: target === undefined ? [] : [{ type: 'video_file', target }],
    });
    expect(response.status).toBe(201);
  }
  const list = async (): Promise<Line[]> =>
    ((await (await fetch(`${first.restUrl}/v1/pipelines`)).json()) as { pipelines: Line[] }).pipelines;
  await until(async () => (await list()).every(({ report }) => report.results > 5));
  const children = first.children();
  expect(children.length).toBeGreaterThanOrEqual(10);
  await first.stop();
  expect(children.filter(isRunning)).toEqual([]);
  for (const file of files) {
    const { stdout } = await run('ffprobe', [
      '-v',
      'error',
      '-count_frames',
      '-show_entries',
      'stream=nb_read_frames',
      '-of',
      'csv=p=0',
      file,
    ]);
    expect(Number(stdout.split(',')[0])).toBeGreaterThan(3);
  }
  expect(await readdir(own)).toEqual(['p7.json']);
  await using second = await startServer({ config, flags });
  await until(async () => {
    const { pipelines } = (await (await fetch(`${second.restUrl}/v1/pipelines`)).json()) as { pipelines: Line[] };
    return pipelines.length === 1 && pipelines[0]?.id === 'p7' && pipelines[0].state === 'running';
  });
});

function isFfmpeg(pid: number): boolean {
  return commandOf(pid).includes('ffmpeg');
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

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
