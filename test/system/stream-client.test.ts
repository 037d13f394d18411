import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient } from '../../src/client/index.ts';
import { openSource } from '../../src/media/sources/ffmpeg-source.ts';
import { StreamClient, type StreamReport } from '../../src/stream-client/index.ts';
import { makeClip, PERSON, probeClip } from '../support/clips.ts';
import { startCutProxy } from '../support/cut-proxy.ts';
import { descendants, isRunning } from '../support/leaks.ts';
import { ROOT } from '../support/paths.ts';
import { publish } from '../support/publish.ts';
import { RtspRelay } from '../support/rtsp-relay.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { until } from '../support/until.ts';

/** Graphs from one picture to others, by name: a frame may have one answer, none, or several. */
const GRAPHS = {
  copy: passThrough('output'),
  twice: passThrough('output', 0) + passThrough('copy', 1),
  thin: thinner('period: 100000'),
  silent: thinner('period: 1 start_time: 9000000000000000'),
};

function passThrough(output: string, index = 0): string {
  const node = `node { calculator: "PassThroughCalculator" input_stream: "IMAGE:first_input_video" output_stream: "IMAGE:${output}" }`;
  return `output_stream: "IMAGE:${index}:${output}" ${node}\n`;
}

function thinner(options: string): string {
  return `output_stream: "IMAGE:output"
    node { calculator: "PacketThinnerCalculator" input_stream: "first_input_video" output_stream: "output"
      node_options { [type.googleapis.com/mediapipe.PacketThinnerCalculatorOptions] { thinner_type: ASYNC ${options} } } }`;
}

let folder: ScratchFolder;
let server: TestServer;
let clip: string;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  const entries = await Promise.all(
    Object.entries(GRAPHS).map(async ([name, graph]) => {
      await folder.put(`${name}/graph.pbtxt`, `input_stream: "IMAGE:first_input_video"\n${graph}`);
      return { name, base_path: join(folder.path, name) };
    }),
  );
  // As Triton's models: no times in the answers, only the requests' ids.
  const implementation = await folder.put(
    'plain.js',
    `import { defineRuntime } from 'millrace';
     const picture = { datatype: 'UINT8', shape: [-1, -1, 3] };
     export default defineRuntime({
       name: 'plain',
       inputs: [{ name: 'image', ...picture }],
       outputs: [{ name: 'turned', ...picture }],
       predict: ({ id, inputs: [input] }) => ({ id, outputs: [{ ...input, name: 'turned', data: Uint8Array.from(input.data).reverse() }] }),
     });`,
  );
  server = await startServer({
    config: { mediapipe_config_list: entries, runtimes: [{ name: 'plain', implementation }] },
  });
  clip = await makeClip(join(folder.path, 'clip.mp4'), { frames: 90 });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function start(
  args: readonly string[],
  { model = 'copy', env = {} }: { model?: string; env?: Record<string, string> } = {},
): Run {
  const all = ['client', '--grpc_address', server.grpcAddress, '--model_name', model, ...args];
  const child = spawn(process.execPath, ['bin/millrace.js', ...all], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr })) };
}

const out = (name: string): string => join(folder.path, name);

/** Runs `millrace client --benchmark` to its end. */
async function report(args: readonly string[], model?: string): Promise<StreamReport> {
  const { code, stdout, stderr } = await start(
    [...args, '--benchmark', '--quiet'],
    model === undefined ? {} : { model },
  ).ended;
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as StreamReport;
}

describe('file to file', () => {
  it.each([
    ['a stream', []],
    ['unary calls', ['--unary']],
    ['BGR', ['--color', 'bgr']],
  ])('has every frame once, in order, at its time: %s', async (_, flags) => {
    const file = out('file.mp4');
    const result = await report(['--input_stream', PERSON, '--output_stream', file, ...flags]);
    expect(result).toMatchObject({ frames: 150, sent: 150, answered: 150, dropped_frames: 0 });
    expect(result.average_frame_spacing).toBeCloseTo(1 / 30, 4);
    const { times, width, height } = await probeClip(file);
    expect([width, height]).toEqual([640, 480]);
    expect(times.map((time) => Math.round(time * 30))).toEqual(Array.from({ length: 150 }, (_, i) => i));
  });

  it('prints the demo’s keys, and percentiles that are in order', async () => {
    const result = await report(['--input_stream', clip]);
    expect(Object.keys(result).slice(0, 6)).toEqual([
      'average_inference_latency',
      'dropped_frames',
      'frames',
      'fps',
      'total_time',
      'sent_all_frames',
    ]);
    const { min, p50, p90, p95, p99, max, avg } = result.latency_ms;
    expect([min, p50, p90, p95, p99, max]).toEqual([min, p50, p90, p95, p99, max].toSorted((a, b) => a - b));
    expect(min).toBeGreaterThan(0);
    expect(result.average_inference_latency * 1000).toBeCloseTo(avg, 1);
    expect(result.fps).toBeCloseTo(result.frames / result.total_time, 0);
  });

  it('sends as many frames as were asked for', async () => {
    expect(await report(['--input_stream', clip, '--limit_frames', '7'])).toMatchObject({ sent: 7, frames: 7 });
  });

  it('stops after the time that was asked for', async () => {
    const result = await report([
      '--input_stream',
      'lavfi:testsrc2=size=64x48:rate=20',
      '--limit_stream_duration',
      '1',
    ]);
    expect(result.frames).toBeGreaterThan(0);
    expect(result.total_time).toBeLessThan(20);
  });
});

describe('flow control', () => {
  it('a graph that drops frames stops nothing', async () => {
    const file = out('thin.mp4');
    const result = await report(['--input_stream', clip, '--output_stream', file], 'thin');
    // 33.3 ms apart, at least 100 ms asked for: every third or fourth.
    expect(result.sent).toBe(90);
    expect(result.frames).toBeGreaterThanOrEqual(20);
    expect(result.frames).toBeLessThanOrEqual(30);
    expect(result.drops.unanswered).toBe(90 - result.frames);
    expect((await probeClip(file)).times.length).toBe(result.frames);
  });

  it('nor does one that answers nothing', async () => {
    using client = new GrpcClient({ address: server.grpcAddress });
    const streamClient = new StreamClient({
      client,
      model: 'silent',
      inputName: 'first_input_video',
      source: clip,
      answerTimeoutMs: 20,
    });
    const result = await streamClient.run();
    expect(result).toMatchObject({ sent: 90, frames: 0, answered: 0, drops: { unanswered: 90 } });
  });

  it('one that answers twice has no more under way', async () => {
    using client = new GrpcClient({ address: server.grpcAddress });
    const outputsSeen: string[] = [];
    const framesSeen = new Set<number>();
    const streamClient = new StreamClient({
      client,
      model: 'twice',
      inputName: 'first_input_video',
      source: clip,
      maxInFlight: 2,
      postprocess: (frame, { outputs }) => {
        outputsSeen.push(outputs[0]?.name ?? '');
        // A further answer may come after the next frame's first one; then its own frame is no longer known.
        if (frame !== undefined) framesSeen.add(frame.number);
        return undefined;
      },
    });
    const result = await streamClient.run();
    expect(result).toMatchObject({ sent: 90, answered: 90, drops: { unanswered: 0 } });
    expect(outputsSeen.toSorted()).toEqual([...Array<string>(90).fill('copy'), ...Array<string>(90).fill('output')]);
    expect([...framesSeen]).toEqual(Array.from({ length: 90 }, (_, i) => i + 1));
  });
});

describe('a model that knows no times', () => {
  it.each([
    ['a stream', []],
    ['unary calls', ['--unary']],
  ])('answers by id: %s', async (_, flags) => {
    const file = out('plain.mp4');
    const names = ['--model_name', 'plain', '--input_name', 'image'];
    const result = await report(['--input_stream', clip, '--output_stream', file, ...names, ...flags]);
    expect(result).toMatchObject({ sent: 90, answered: 90, frames: 90, dropped_frames: 0 });
    expect(result.latency_ms.min).toBeGreaterThan(0);
    const { times } = await probeClip(file);
    expect(times.map((time) => Math.round(time * 30))).toEqual(Array.from({ length: 90 }, (_, i) => i));
  });
});

describe('callbacks', () => {
  it('from modules, in TypeScript too', async () => {
    const before = await folder.put(
      'before.ts',
      `import { tensorOf } from 'millrace';
       export function preprocess(frame: { number: number; data: Uint8Array; width: number; height: number }) {
         if (frame.number % 2 === 0) return undefined;
         return [tensorOf('first_input_video', 'UINT8', [frame.height, frame.width, 3], frame.data)];
       }`,
    );
    const after = await folder.put(
      'after.js',
      `export function postprocess(frame, response) {
         const data = new Uint8Array(32 * 16).fill(frame.number);
         return { width: 32, height: 16, format: 'gray', data };
       }`,
    );
    const file = out('callbacks.mkv');
    const callbacks = ['--preprocess', before, '--postprocess', after];
    const result = await report(['--input_stream', clip, '--output_stream', file, ...callbacks]);
    expect(result).toMatchObject({ sent: 45, frames: 45, drops: { skipped: 45 } });
    expect(await probeClip(file)).toMatchObject({ width: 32, height: 16 });
  });

  it('that are missing or throw end the run and say so', async () => {
    const wrong = await folder.put('wrong.js', 'export const preprocess = 3;');
    const thrower = await folder.put('thrower.js', 'export function postprocess() { throw new Error("no luck"); }');
    const none = await start(['--input_stream', clip, '--preprocess', wrong]).ended;
    expect(none).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('export "preprocess" is no function') as string,
    });
    const thrown = await start(['--input_stream', clip, '--postprocess', thrower]).ended;
    expect(thrown).toMatchObject({ code: 1, stderr: expect.stringContaining('no luck') as string });
  });
});

describe('RTSP', () => {
  it('from one channel to another', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'channel1', clip);
    const run = start([
      '--input_stream',
      relay.url('channel1'),
      '--output_stream',
      relay.url('channel2'),
      '--benchmark',
    ]);
    await until(() => relay.isPublished('channel2') && relay.packetsOut > 100);
    {
      await using back = await openSource(relay.url('channel2'));
      expect(await back.next()).toMatchObject({ width: 320, height: 240 });
    }
    const children = descendants(run.child.pid ?? 0);
    expect(children.length).toBe(2);
    run.child.kill('SIGINT');
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as StreamReport).frames).toBeGreaterThan(5);
    expect(children.filter(isRunning)).toEqual([]);
  });

  it('goes on when the RTSP server dies and comes back', async () => {
    await using relay = await RtspRelay.start();
    const first = await publish(relay, 'channel1', clip);
    using client = new GrpcClient({ address: server.grpcAddress });
    const lost: string[] = [];
    const streamClient = new StreamClient({
      client,
      model: 'copy',
      inputName: 'first_input_video',
      source: relay.url('channel1'),
      sink: relay.url('channel2'),
      onEvent: (event) => void lost.push(event.part),
    });
    const running = streamClient.run();
    await until(() => relay.isPublished('channel2') && streamClient.report.frames > 20);
    await relay.stop();
    await first[Symbol.asyncDispose]();
    await relay.start();
    await using _second = await publish(relay, 'channel1', clip);
    await until(() => streamClient.report.reconnections.source >= 1 && relay.isPublished('channel2'));
    streamClient.stop();
    const { reconnections } = await running;
    expect(reconnections).toMatchObject({ source: 1, server: 0 });
    expect(reconnections.sink).toBeGreaterThanOrEqual(1);
    expect(lost).toContain('source');
    expect(lost).toContain('sink');
  });
});

describe('a server that is lost', () => {
  it('a file misses no frame', async () => {
    await using proxy = await startCutProxy(server.grpcPort);
    using client = new GrpcClient({ address: proxy.address, ownConnection: true });
    const file = out('cut.mp4');
    const streamClient = new StreamClient({
      client,
      model: 'copy',
      inputName: 'first_input_video',
      source: PERSON,
      sink: file,
    });
    const running = streamClient.run();
    await until(() => streamClient.report.frames > 20);
    proxy.cut();
    const result = await running;
    expect(result.reconnections.server).toBeGreaterThanOrEqual(1);
    expect(result).toMatchObject({ frames: 150, drops: { connection_lost: 0 } });
    expect((await probeClip(file)).times.length).toBe(150);
  });

  it('ends the run where it stays away, with the file completed', async () => {
    await using proxy = await startCutProxy(server.grpcPort);
    using client = new GrpcClient({ address: proxy.address, ownConnection: true });
    const file = out('away.mp4');
    const streamClient = new StreamClient({
      client,
      model: 'copy',
      inputName: 'first_input_video',
      source: PERSON,
      sink: file,
      maxReconnects: 1,
    });
    const running = streamClient.run();
    await until(() => streamClient.report.frames > 20);
    await proxy[Symbol.asyncDispose]();
    await expect(running).rejects.toMatchObject({ status: 'UNAVAILABLE' });
    expect((await probeClip(file)).times.length).toBeGreaterThanOrEqual(15);
  });
});

describe('bad input', () => {
  it.each<[string, () => readonly string[], number, RegExp]>([
    ['no source', () => [], 2, /--input_stream: a camera index, file or URL expected/],
    ['a camera that is not there', () => ['--input_stream', '98'], 1, /camera \/dev\/video98: no such camera/],
    ['a file that is not there', () => ['--input_stream', out('nothing.mp4')], 1, /No such file or directory/],
    ['a server that is not there', () => ['--input_stream', clip, '--grpc_address', '127.0.0.1:1'], 1, /UNAVAILABLE/],
    ['a model that is not there', () => ['--input_stream', clip, '--model_name', 'nothing'], 1, /NOT_FOUND/],
    [
      'an input that is not there',
      () => ['--input_stream', clip, '--input_name', 'x'],
      1,
      /has no input "x"; it has "first_input_video"/,
    ],
    ['an output that is not there', () => ['--input_stream', clip, '--output_name', 'x'], 1, /has no output "x"/],
    [
      'no place for the file',
      () => ['--input_stream', clip, '--output_stream', out('no/where.mp4')],
      1,
      /No such file or directory/,
    ],
    ['the source as sink', () => ['--input_stream', clip, '--output_stream', clip], 1, /this is the source/],
    [
      'a stream that nobody takes',
      () => ['--input_stream', clip, '--output_stream', 'rtsp://127.0.0.1:1/x'],
      1,
      /Connection refused/,
    ],
    [
      'numbers that are none',
      () => ['--input_stream', clip, '--limit_frames', 'many'],
      2,
      /a number of 0 or more expected/,
    ],
    ['words', () => ['clip.mp4'], 2, /only flags expected/],
  ])('%s', async (_, args, code, message) => {
    const ended = await start(args()).ended;
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
  });

  it('a wrong password is said at once, and not shown', async () => {
    await using relay = await RtspRelay.start({ auth: { user: 'me', password: 'right', scheme: 'digest' } });
    const url = relay.url('a').replace('right', 'wrong');
    const { code, stderr } = await start(['--input_stream', url, '--retry']).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('401');
    expect(stderr).not.toContain('wrong');
  });

  it('no ffmpeg, no display', async () => {
    const empty = await start(['--input_stream', clip], { env: { PATH: folder.path } }).ended;
    expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('install ffmpeg') as string });
    const env = { DISPLAY: '', WAYLAND_DISPLAY: '', SDL_VIDEODRIVER: '' };
    const blind = await start(['--input_stream', clip, '--output_stream', 'screen'], { env }).ended;
    expect(blind).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no display') as string });
  });

  it('frames that the server refuses end the run with its reason', async () => {
    const { code, stderr } = await start(['--input_stream', clip, '--encoding', 'raw', '--datatype', 'FP32']).ended;
    expect(stderr).not.toBe('');
    expect(code).toBe(1);
  });
});

describe('Ctrl-C', () => {
  it('completes the file; a second one does not wait', async () => {
    const file = out('stopped.mp4');
    const run = start([
      '--input_stream',
      'lavfi:testsrc2=size=320x240:rate=30',
      '--output_stream',
      file,
      '--benchmark',
    ]);
    await until(async () => (await sizeOf(file)) > 5_000);
    run.child.kill('SIGINT');
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    const { frames } = JSON.parse(stdout) as StreamReport;
    expect((await probeClip(file)).times.length).toBe(frames);
    const silent = start(['--input_stream', clip], { model: 'silent' });
    await until(() => descendants(silent.child.pid ?? 0).length > 0);
    const children = descendants(silent.child.pid ?? 0);
    silent.child.kill('SIGINT');
    silent.child.kill('SIGINT');
    await silent.ended;
    expect(children.filter(isRunning)).toEqual([]);
  });

  it('kill -9 leaves a file that can be played and no children', async () => {
    const file = out('killed.mp4');
    const run = start(['--input_stream', 'lavfi:testsrc2=size=320x240:rate=60', '--output_stream', file]);
    await until(async () => (await sizeOf(file)) > 5_000);
    const children = descendants(run.child.pid ?? 0);
    run.child.kill('SIGKILL');
    await run.ended;
    await until(() => !children.some(isRunning));
    expect((await probeClip(file)).times.length).toBeGreaterThan(10);
  });
});

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}
