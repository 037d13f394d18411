/** What goes wrong around pipelines: sources that freeze, disks that are full, ends in every state; and the RTSP sink, read back. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { ffmpeg, makeClip, probeClip } from '../support/clips.ts';
import { freePort } from '../support/free-port.ts';
import { ROOT } from '../support/paths.ts';
import { callPipelines } from '../support/pipelines-api.ts';
import { publish } from '../support/publish.ts';
import { RtspRelay } from '../support/rtsp-relay.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { until } from '../support/until.ts';

// Servers start, videos are decoded: each wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

const run = promisify(execFile);
const PICTURES = 'lavfi:testsrc2=size=320x240:rate=15';

interface Line {
  readonly id: string;
  readonly state: string;
  readonly events: readonly { readonly event_type: string; readonly payload: Readonly<Record<string, unknown>> }[];
  readonly report: {
    readonly results: number;
    readonly sources: readonly {
      readonly state: string;
      readonly reconnects: number;
      readonly last_error: string | null;
    }[];
    readonly sinks: readonly {
      readonly type: string;
      readonly delivered: number;
      readonly failed: number;
      readonly last_error: string | null;
    }[];
  };
}

let folder: ScratchFolder;
let clip: string;
let server: TestServer;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  clip = await makeClip(join(folder.path, 'clip.mp4'), { fps: 15, frames: 60 });
  await mkdir(join(folder.path, 'sinks'));
  const config = {
    mediapipe_config_list: [{ name: 'detect', base_path: join(ROOT, 'graphs/detect') }],
    model_config_list: [{ config: { name: 'shapes', base_path: join(ROOT, 'models/shapes') } }],
    pipelines: {
      allow: { schemes: ['file', 'rtsp', 'http', 'lavfi'], sink_folders: [join(folder.path, 'sinks'), '/dev'] },
    },
  };
  // A host that is stopped within a run is known to hang by the run's deadline, outside one by its silence.
  server = await startServer({ config, flags: ['--hosts', '2', '--run_deadline_ms', '5000'] });
});
/** What a test that failed has left. */
afterEach(async () => {
  const { pipelines } = (await call('GET', '')) as { pipelines: Line[] };
  for (const { id } of pipelines) await remove(id);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const call = (...request: [method: string, path: string, body?: object]): Promise<unknown> =>
  callPipelines(server, ...request);

const look = async (id: string): Promise<Line> => (await call('GET', `/${id}`)) as Line;
const create = async (given: object): Promise<string> =>
  ((await call('POST', '', { model_id: 'shapes', ...given })) as Line).id;
/** Where a host was lost, its servables come back soon. */
const hostsAreBack = (): Promise<void> =>
  until(async () => {
    const ready = await Promise.all(
      ['shapes', 'detect'].map(async (name) => (await fetch(`${server.restUrl}/v2/models/${name}/ready`)).ok),
    );
    return ready.every(Boolean);
  });
const remove = async (id: string): Promise<unknown> => call('DELETE', `/${id}`);

const decoders = (): number[] =>
  server.children().flatMap(({ pid }) => {
    try {
      return /ffmpeg|ffprobe/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ? [pid] : [];
    } catch {
      return [];
    }
  });
const nothingIsLeft = (): Promise<void> => until(() => decoders().length === 0, 'no decoder is left');

/** Waits until a pipeline has given so many results more. */
async function goesOn(id: string, results: number): Promise<void> {
  const before = (await look(id)).report.results;
  await until(async () => (await look(id)).report.results >= before + results, `${id} goes on`);
}

/** A camera over HTTP that stops sending and keeps its connections, until it is told to go on. */
class HttpCamera {
  readonly #stream: Buffer;
  readonly #server: Server;
  isFrozen = false;
  connections = 0;

  constructor(stream: Buffer) {
    this.#stream = stream;
    this.#server = createHttpServer((_request, response) => {
      this.connections++;
      response.writeHead(200, { 'content-type': 'video/mp2t' });
      // Four seconds of video in forty parts, again and again.
      const part = Math.ceil(this.#stream.length / 40);
      let at = 0;
      const timer = setInterval(() => {
        if (this.isFrozen) return;
        response.write(this.#stream.subarray(at, at + part));
        at = at + part >= this.#stream.length ? 0 : at + part;
      }, 100);
      response.on('close', () => clearInterval(timer));
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/camera.ts`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('a source that freezes and keeps its connection is noticed, connected anew, and counted', () => {
  /** Of what was lost, the reasons. */
  const causes = ({ events }: Line): unknown[] =>
    events.flatMap(({ event_type, payload }) => (event_type === 'SOURCE_CONNECTION_LOST' ? [payload['cause']] : []));

  test('over RTSP', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'cam', clip);
    const id = await create({ video_reference: relay.url('cam'), stall_timeout_ms: 1000 });
    await goesOn(id, 3);
    relay.isStalled = true;
    await until(async () => causes(await look(id)).includes('stalled'));
    expect((await look(id)).report.sources[0]?.last_error).toContain('no frame for 1000 ms');
    relay.isStalled = false;
    await until(async () => ((await look(id)).report.sources[0]?.reconnects ?? 0) > 0);
    await goesOn(id, 3);
    expect((await look(id)).report.sources[0]).toMatchObject({ state: 'RUNNING', last_error: null });
    await remove(id);
    await nothingIsLeft();
  });

  test('over HTTP', async () => {
    const file = join(folder.path, 'camera.ts');
    await ffmpeg('-i', clip, '-c:v', 'copy', '-f', 'mpegts', file);
    await using camera = new HttpCamera(await readFile(file));
    const id = await create({ video_reference: await camera.listen(), stall_timeout_ms: 1500 });
    await goesOn(id, 3);
    camera.isFrozen = true;
    const before = camera.connections;
    await until(async () => causes(await look(id)).includes('stalled'));
    camera.isFrozen = false;
    await goesOn(id, 3);
    expect(camera.connections).toBeGreaterThan(before);
    expect((await look(id)).report.sources[0]?.reconnects).toBeGreaterThan(0);
    await remove(id);
    await nothingIsLeft();
  });
});

test('a full disk costs a file sink its results, and nobody else: it is counted and said', async () => {
  const files = ['full.mp4', 'full.jsonl'].map((name) => join(folder.path, 'sinks', name));
  for (const file of files) await symlink('/dev/full', file);
  const good = join(folder.path, 'sinks/good.jsonl');
  const id = await create({
    video_reference: PICTURES,
    model_id: 'detect',
    sinks: [
      { type: 'video_file', target: files[0] },
      { type: 'json_lines', path: files[1] },
      { type: 'json_lines', path: good },
    ],
  });
  await until(async () => {
    const { sinks } = (await look(id)).report;
    const bad = sinks.filter(({ last_error: error }) => error !== null);
    return bad.length === 2 && bad.every(({ failed }) => failed > 0);
  });
  await goesOn(id, 10);
  const { events, report } = await look(id);
  for (const { last_error: error } of report.sinks.filter(({ last_error }) => last_error !== null)) {
    expect(error).toMatch(/no space left|ENOSPC/i);
  }
  expect(events.some(({ event_type: type }) => type === 'INFERENCE_RESULTS_DISPATCHING_ERROR')).toBe(true);
  const delivered = ({ report: { sinks } }: Line): number => Math.max(...sinks.map((sink) => sink.delivered));
  await until(async () => delivered(await look(id)) > 10);
  await remove(id);
  await nothingIsLeft();
  expect((await readFile(good, 'utf8')).trim().split('\n').length).toBeGreaterThan(10);
});

describe('terminate, twice, whatever the source does:', () => {
  /** Accepts and never says anything: a source stays in INITIALISING. */
  async function silent(): Promise<{ url: string } & AsyncDisposable> {
    const sockets = new Set<Socket>();
    const listener = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return {
      url: `rtsp://127.0.0.1:${(listener.address() as AddressInfo).port}/x`,
      [Symbol.asyncDispose]: async () => {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => listener.close(resolve));
      },
    };
  }

  async function endsIn(id: string, ...states: readonly string[]): Promise<void> {
    await until(
      async () => states.includes((await look(id)).report.sources[0]?.state ?? ''),
      `${id}: ${states.join()}`,
    );
    await remove(id);
    expect((await look(id)).state).toMatch(/terminated|ended/);
    expect((await look(id)).report.sources[0]?.state).toMatch(/ENDED|ERROR/);
    await remove(id);
    await nothingIsLeft();
  }

  test('it is just connecting', async () => {
    await using camera = await silent();
    await endsIn(await create({ video_reference: camera.url }), 'INITIALISING');
  });

  test('it waits for its next try', async () => {
    const url = `rtsp://127.0.0.1:${await freePort()}/none`;
    const id = await create({ video_reference: url });
    await until(async () => (await look(id)).report.sources[0]?.last_error !== null);
    await endsIn(id, 'INITIALISING', 'RESTARTING', 'ERROR');
  });

  test('it runs', async () => {
    await endsIn(await create({ video_reference: PICTURES }), 'RUNNING');
  });

  test.each([
    ['a file is paused', (): object => ({ video_reference: clip, max_fps: 5 })],
    ['a live source is muted', (): object => ({ video_reference: PICTURES })],
  ])('%s', async (_name, given) => {
    const id = await create(given());
    await goesOn(id, 2);
    await call('POST', `/${id}/pause`);
    await endsIn(id, 'MUTED', 'PAUSED');
  });

  test('it has ended', async () => {
    await endsIn(await create({ video_reference: clip }), 'ENDED');
  });

  test('it could never be opened', async () => {
    await endsIn(await create({ video_reference: join(folder.path, 'none.mp4') }), 'ERROR');
  });

  test('its host has just been killed', async () => {
    const id = await create({ video_reference: PICTURES });
    await goesOn(id, 2);
    const parents = new Set(server.children().flatMap(({ pid, parent }) => (decoders().includes(pid) ? [parent] : [])));
    for (const parent of parents) process.kill(parent, 'SIGKILL');
    await remove(id);
    expect((await look(id)).state).toBe('terminated');
    await nothingIsLeft();
    await hostsAreBack();
  });

  test('its host hangs', async () => {
    const id = await create({ video_reference: PICTURES });
    await goesOn(id, 2);
    const [host] = server.children().flatMap(({ pid, parent }) => (decoders().includes(pid) ? [parent] : []));
    process.kill(host ?? 0, 'SIGSTOP');
    await remove(id);
    expect((await look(id)).state).toBe('terminated');
    await nothingIsLeft();
    await hostsAreBack();
  });
});

describe('the rtsp sink', () => {
  test('is played by ffprobe from the server that it publishes to, with the frames of its source', async () => {
    await using relay = await RtspRelay.start();
    const id = await create({
      video_reference: PICTURES,
      model_id: 'detect',
      sinks: [{ type: 'rtsp', target: relay.url('out') }],
    });
    await until(() => relay.isPublished('out'));
    const shown = 'stream=codec_name,width,height,nb_read_frames';
    const input = ['-rtsp_transport', 'tcp', '-read_intervals', '%+2', relay.url('out')];
    const args = ['-v', 'error', '-count_frames', '-show_entries', shown, '-of', 'json', ...input];
    const { streams } = JSON.parse((await run('ffprobe', args)).stdout) as {
      streams: { codec_name: string; width: number; height: number; nb_read_frames: string }[];
    };
    expect(streams).toMatchObject([{ codec_name: 'h264', width: 320, height: 240 }]);
    expect(Number(streams[0]?.nb_read_frames)).toBeGreaterThan(10);
    const [sink] = (await look(id)).report.sinks;
    expect(sink).toMatchObject({ type: 'rtsp', failed: 0, last_error: null });
    expect(sink?.delivered).toBeGreaterThan(10);
    await remove(id);
    await nothingIsLeft();
  });

  const PYTHON = '/usr/bin/python3';
  const check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer";
  test.skipIf(spawnSync(PYTHON, ['-c', check]).status !== 0)('is recorded by GStreamer’s server', async () => {
    const recorded = join(folder.path, 'record.ts');
    const args = [join(ROOT, 'test/media/gst_rtsp_server.py'), recorded];
    const gstreamer = spawn(PYTHON, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [port] = (await once(gstreamer.stdout, 'data')) as [Buffer];
      const target = `rtsp://127.0.0.1:${Number(port.toString())}/record`;
      const id = await create({ video_reference: PICTURES, model_id: 'detect', sinks: [{ type: 'rtsp', target }] });
      await until(async () => {
        const [sink] = (await look(id)).report.sinks;
        return (await stat(recorded).catch(() => undefined))?.size !== undefined && (sink?.delivered ?? 0) > 60;
      });
      await remove(id);
      const { width, height, times } = await probeClip(recorded);
      expect([width, height]).toEqual([320, 240]);
      expect(times.length).toBeGreaterThan(20);
      await nothingIsLeft();
    } finally {
      gstreamer.kill('SIGKILL');
    }
  });
});
