/**
 * Four cameras through Roboflow's stream manager and ours, the same detector and the same sources in one run; how soon a further
 * pipeline begins and a status is answered. Writes its part of docs/performance.md.
 *   npm run bench:pipelines                        3 rounds of 20 s
 *   npm run bench:pipelines -- --dry               writes nothing
 *   npm run bench:pipelines -- --without roboflow
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ffmpeg, PERSON } from '../test/support/clips.ts';
import { publish } from '../test/support/publish.ts';
import { RtspRelay } from '../test/support/rtsp-relay.ts';
import { command } from '../test/support/stream-manager.ts';
import { until } from '../test/support/until.ts';
import { writeSection } from './performance-page.ts';
import { MODEL, startOurs, startRoboflow, type PipelineManager } from './pipeline-managers.ts';
import { pipelinesReport, type Load, type StatusTimes } from './pipelines-report.ts';
import { cpuSeconds, decodersOf, memoryMiB } from './process-tree.ts';

const SOURCES = 4;
const FPS = 15;
/** Cameras run for days; what runs sixty times a second is compiled only after a while. */
const WARM_UP_S = 40;
/** Until decoders that are measured alone have their first frames. */
const DECODERS_START_S = 5;
/** Further pipelines on a model that is loaded. */
const STARTS = 10;
/** Pipelines while a status is asked for, and how often. */
const STATUS_PIPELINES = 8;
const STATUS_EVERY_MS = 10;
const STATUS_S = 10;

interface Answer {
  readonly status: string;
  readonly context: { readonly pipeline_id: string };
}

/** Where the results of every pipeline come to: a count for each port. */
class Receivers implements AsyncDisposable {
  readonly #sockets = Array.from({ length: SOURCES }, () => createSocket('udp4'));
  readonly counts = this.#sockets.map(() => 0);

  async open(): Promise<this> {
    for (const [index, socket] of this.#sockets.entries()) {
      socket.on('message', () => this.counts[index]!++).bind(0, '127.0.0.1');
      await once(socket, 'listening');
    }
    return this;
  }

  port(index: number): number {
    return this.#sockets[index % SOURCES]!.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.close();
  }
}

async function post(url: string, body?: object): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text) as Answer;
}

/** A pipeline as the page starts it; every frame that comes is to be inferred. */
async function start({ url }: PipelineManager, source: string, port: number): Promise<string> {
  const { context } = await post(`${url}/initialise`, {
    model_id: MODEL,
    video_reference: source,
    sink_configuration: { type: 'udp_sink', host: '127.0.0.1', port },
    source_buffer_filling_strategy: 'DROP_OLDEST',
    source_buffer_consumption_strategy: 'EAGER',
  });
  return context.pipeline_id;
}

const stop = async ({ url }: PipelineManager, id: string): Promise<unknown> => post(`${url}/terminate/${id}`);

/** Four sources on one manager for some seconds. */
async function load(manager: PipelineManager, sources: readonly string[], seconds: number): Promise<Load> {
  await using receivers = await new Receivers().open();
  const idleMiB = memoryMiB(manager.pids);
  const ids: string[] = [];
  for (const [index, source] of sources.entries()) ids.push(await start(manager, source, receivers.port(index)));
  await until(() => receivers.counts.every((count) => count > 0), `results of ${manager.name}`);
  await delay(WARM_UP_S * 1000);
  const decoders = decodersOf(manager.pids);
  const decodersBefore = cpuSeconds(decoders);
  const [cpuBefore, framesBefore, begun] = [cpuSeconds(manager.pids), [...receivers.counts], performance.now()];
  await delay(seconds * 1000);
  const elapsedS = (performance.now() - begun) / 1000;
  const frames = receivers.counts.map((count, index) => count - (framesBefore[index] ?? 0));
  const cpuS = cpuSeconds(manager.pids) - cpuBefore;
  const decodersS = cpuSeconds(decoders) - decodersBefore;
  const totalMiB = memoryMiB(manager.pids);
  for (const id of ids) await stop(manager, id);
  const total = frames.reduce((sum, each) => sum + each, 0);
  return {
    framesPerS: frames.map((each) => each / elapsedS),
    cpuMsPerFrame: (cpuS * 1000) / total,
    decodersMsPerFrame: (decodersS * 1000) / total,
    idleMiB,
    totalMiB,
    pipelineMiB: (totalMiB - idleMiB) / SOURCES,
  };
}

/** CPU time for each frame of decoding the sources at their pace and nothing else, by an ffmpeg for each, in ms. */
async function decodingMs(sources: readonly string[], seconds: number): Promise<number> {
  const output = ['-map', '0:v:0', '-vsync', 'passthrough', '-f', 'null', '-'];
  const children = sources.map((source) => {
    const input = ['-nostdin', '-loglevel', 'error', '-threads', '1', '-rtsp_transport', 'tcp', '-i', source];
    return spawn('ffmpeg', [...input, ...output], { stdio: 'ignore' });
  });
  try {
    const pids = children.map(({ pid }) => pid as number);
    await delay(DECODERS_START_S * 1000);
    const [before, begun] = [cpuSeconds(pids), performance.now()];
    await delay(seconds * 1000);
    const frames = (FPS * sources.length * (performance.now() - begun)) / 1000;
    return ((cpuSeconds(pids) - before) * 1000) / frames;
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** How long `/initialise` takes while the others run, in ms. */
async function startTimes(manager: PipelineManager, sources: readonly string[], starts: number): Promise<number[]> {
  await using receivers = await new Receivers().open();
  const running: string[] = [];
  for (const [index, source] of sources.entries()) running.push(await start(manager, source, receivers.port(index)));
  await until(() => receivers.counts.every((count) => count > 0), `results of ${manager.name}`);
  const times: number[] = [];
  for (let i = 0; i < starts; i++) {
    const begun = performance.now();
    const id = await start(manager, sources[0] as string, receivers.port(0));
    times.push(performance.now() - begun);
    await stop(manager, id);
  }
  for (const id of running) await stop(manager, id);
  return times;
}

/** A status over TCP and HTTP while eight run, and then while a worker with some of them hangs as well. */
async function statusTimes(
  manager: PipelineManager,
  sources: readonly string[],
  seconds: number,
): Promise<StatusTimes> {
  await using receivers = await new Receivers().open();
  const ids: string[] = [];
  for (let i = 0; i < STATUS_PIPELINES; i++) {
    ids.push(await start(manager, sources[i % SOURCES] as string, receivers.port(i)));
  }
  await until(() => receivers.counts.every((count) => count > 0), `results of ${manager.name}`);
  const tcp: number[] = [];
  const http: number[] = [];
  const [stuck] = manager.workers();
  if (stuck !== undefined) process.kill(stuck, 'SIGSTOP');
  const end = Date.now() + seconds * 1000;
  for (let i = 0; Date.now() < end; i++) {
    const pipeline_id = ids[i % ids.length];
    let begun = performance.now();
    const { response } = await command(manager.tcpPort, { type: 'status', pipeline_id });
    tcp.push(performance.now() - begun);
    if (response.status !== 'success') throw new Error(`status of ${pipeline_id}: ${JSON.stringify(response)}`);
    begun = performance.now();
    const answer = await fetch(`${manager.url}/status/${pipeline_id}`);
    await answer.text();
    http.push(performance.now() - begun);
    if (!answer.ok) throw new Error(`status of ${pipeline_id}: ${answer.status}`);
    await delay(STATUS_EVERY_MS);
  }
  if (stuck !== undefined) continueProcess(stuck);
  for (const id of ids) await stop(manager, id);
  return { tcp, http, hasHung: stuck !== undefined };
}

function continueProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // The server has replaced it meanwhile.
  }
}

async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '20' },
      without: { type: 'string' },
      dry: { type: 'boolean', default: false },
    },
  });
  const [rounds, seconds] = [Number(options.rounds), Number(options.seconds)];
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const relay = await RtspRelay.start();
  const publishers: AsyncDisposable[] = [];
  const managers: PipelineManager[] = [];
  try {
    const clip = join(folder, 'camera.mp4');
    const h264 = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-bf', '0', '-g', '15', '-b:v', '1M'];
    await ffmpeg('-stream_loop', '3', '-i', PERSON, '-r', String(FPS), '-an', ...h264, clip);
    const paths = Array.from({ length: SOURCES }, (_, index) => `camera-${index}`);
    for (const path of paths) publishers.push(await publish(relay, path, clip));
    const sources = paths.map((path) => relay.url(path));

    if (options.without !== 'roboflow') managers.push(await startRoboflow());
    managers.push(await startOurs());
    const busyBefore = loadavg()[0] ?? NaN;
    const loads = new Map<PipelineManager, Load[]>(managers.map((manager) => [manager, []]));
    for (let round = 0; round < rounds; round++) {
      for (const manager of managers) {
        const measured = await load(manager, sources, seconds);
        loads.get(manager)?.push(measured);
        console.error(manager.name, JSON.stringify(measured));
      }
    }
    const decoding: number[] = [];
    for (let round = 0; round < rounds; round++) decoding.push(await decodingMs(sources, seconds));
    const results = [];
    for (const manager of managers) {
      results.push({
        name: manager.name,
        loads: loads.get(manager) ?? [],
        starts: await startTimes(manager, sources, STARTS),
        status: await statusTimes(manager, sources, STATUS_S),
      });
    }
    const text = pipelinesReport(results, { rounds, seconds, warmUpS: WARM_UP_S, busyBefore, decoding });
    console.log(text);
    if (!options.dry && options.without === undefined) await writeSection('pipelines', text);
  } finally {
    for (const each of [...managers, ...publishers]) await each[Symbol.asyncDispose]();
    await relay.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
