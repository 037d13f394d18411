/**
 * Eight pipelines for a long time, while sources come and go, decoders are killed, and pipelines end and begin: memory stays, no
 * process is left, none is a zombie, no descriptor is kept. For three minutes; SOAK_SECONDS says for how long instead, e.g. 1800.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeClip } from '../support/clips.ts';
import { openDescriptors, residentMiB, type ProcessInfo } from '../support/leaks.ts';
import { ROOT } from '../support/paths.ts';
import { callPipelines } from '../support/pipelines-api.ts';
import { publish } from '../support/publish.ts';
import { RtspRelay } from '../support/rtsp-relay.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { until } from '../support/until.ts';

const PIPELINES = 8;
const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 180);
/** What a heap may be behind by: the collectors of three processes choose their times. */
const MEMORY_MIB = 60;

interface Line {
  readonly id: string;
  readonly state: string;
  readonly report: {
    readonly results: number;
    readonly sources: readonly { readonly state: string; readonly reconnects: number }[];
  };
}

let folder: ScratchFolder;
let clip: string;
let server: TestServer;
let relay: RtspRelay;
let receiver: Socket;
let datagrams = 0;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  clip = await makeClip(join(folder.path, 'clip.mp4'), { size: '320x240', fps: 15, frames: 60 });
  receiver = createSocket('udp4').bind(0, '127.0.0.1');
  await once(receiver, 'listening');
  receiver.on('message', () => datagrams++);
  relay = await RtspRelay.start();
  const config = {
    mediapipe_config_list: [{ name: 'detect', base_path: join(ROOT, 'graphs/detect') }],
    model_config_list: [{ config: { name: 'shapes', base_path: join(ROOT, 'models/shapes') } }],
    pipelines: { allow: { schemes: ['file', 'rtsp', 'lavfi'], sink_folders: [folder.path] } },
  };
  server = await startServer({ config, flags: ['--hosts', '2'] });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await relay.stop();
  receiver.close();
  await folder[Symbol.asyncDispose]();
});

const call = (...request: [method: string, path: string, body?: object]): Promise<unknown> =>
  callPipelines(server, ...request);

const look = async (id: string): Promise<Line> => (await call('GET', `/${id}`)) as Line;

/** The eight differ: cameras over RTSP, pictures that ffmpeg makes, files that end; a graph or a model; each kind of sink. */
function requestOf(slot: number): object {
  const udp = { type: 'udp', host: '127.0.0.1', port: receiver.address().port };
  const target = join(folder.path, `out-${slot}.mp4`);
  const common = { model_id: slot % 2 === 0 ? 'detect' : 'shapes', stall_timeout_ms: 3000 };
  switch (slot) {
    case 0:
    case 1:
      return { ...common, video_reference: relay.url('cam'), sinks: [udp, { type: 'memory' }] };
    case 2:
      return { ...common, video_reference: [relay.url('cam'), 'lavfi:testsrc2=size=320x240:rate=15'], sinks: [udp] };
    case 3:
      return { ...common, video_reference: clip, realtime: true, sinks: [udp] };
    case 4:
      return {
        ...common,
        video_reference: 'lavfi:testsrc2=size=320x240:rate=15',
        sinks: [{ type: 'video_file', target }],
      };
    case 5:
      return {
        ...common,
        video_reference: clip,
        max_fps: 15,
        sinks: [{ type: 'json_lines', path: `${target}.jsonl` }],
      };
    default:
      return { ...common, video_reference: 'lavfi:testsrc2=size=320x240:rate=15', sinks: [udp] };
  }
}

/** Empty where it has ended. */
const commandOf = ({ pid }: ProcessInfo): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};
const isFfmpeg = (each: ProcessInfo): boolean => /ffmpeg|ffprobe|setpriv/.test(commandOf(each));
const isHost = (each: ProcessInfo): boolean => /host.main/.test(commandOf(each));

/** What the server's own processes hold; their children are counted apart. */
interface Held {
  readonly memoryMiB: number;
  readonly descriptors: number;
}

function memoryOf(pid: number): number {
  try {
    return residentMiB(pid);
  } catch {
    return 0; // a host that has just been replaced
  }
}

function held(): Held {
  const pids = [server.pid, ...server.children().flatMap((each) => (isHost(each) ? [each.pid] : []))];
  const sum = (of: (pid: number) => number): number => pids.reduce((total, pid) => total + of(pid), 0);
  return { memoryMiB: sum(memoryOf), descriptors: sum(openDescriptors) };
}

async function nothingIsLeft(): Promise<void> {
  await until(() => !server.children().some(isFfmpeg), 'no decoder is left');
}

/** Zombies that stay: a child that has just ended is one until its parent asks. */
async function zombies(): Promise<number[]> {
  const found = (): number[] => server.children().flatMap(({ state, pid }) => (state === 'Z' ? [pid] : []));
  const first = found();
  if (first.length === 0) return [];
  await delay(1000);
  return found().filter((pid) => first.includes(pid));
}

/** Eight pipelines, and what happens to them. */
class World {
  readonly ids: string[] = [];
  created = 0;
  killed = 0;
  results = 0;
  #publishing: AsyncDisposable | undefined;

  async start(): Promise<void> {
    this.#publishing = await publish(relay, 'cam', clip);
    for (let slot = 0; slot < PIPELINES; slot++) this.ids.push(await this.#create(slot));
  }

  async stop(): Promise<void> {
    for (const id of this.ids.splice(0)) await this.#remove(id);
    await this.#publishing?.[Symbol.asyncDispose]();
    await nothingIsLeft();
  }

  /** Until each gives results again; some were lost a moment ago, and a file may have ended. */
  async allRun(): Promise<void> {
    for (const id of this.ids) {
      let now = await look(id);
      const { results } = now.report;
      const goesOn = async (): Promise<boolean> => {
        now = await look(id);
        return now.report.results > results || now.state === 'ended';
      };
      await until(goesOn).catch(() => expect.fail(`no results: ${JSON.stringify(now)}`));
    }
  }

  async round(number: number): Promise<void> {
    await this.#replace(number % PIPELINES);
    for (const [slot, id] of this.ids.entries()) if ((await look(id)).state === 'ended') await this.#replace(slot);
    if (number % 4 === 1) this.#killDecoder();
    if (number % 6 === 2) relay.resetAll();
    if (number % 6 === 2 || number % 10 === 5) {
      await this.#publishing?.[Symbol.asyncDispose]();
      await until(() => !relay.isPublished('cam'));
      this.#publishing = await publish(relay, 'cam', clip);
    }
    if (number % 5 === 3) {
      // Neither is possible while it is being connected anew.
      const answers = (what: string) => (): Promise<boolean> =>
        call('POST', `/${this.ids[0]}/${what}`).then(
          () => true,
          () => false,
        );
      await until(answers('pause'));
      await until(answers('resume'));
    }
    await this.allRun();
  }

  async #replace(slot: number): Promise<void> {
    await this.#remove(this.ids[slot] as string);
    this.ids[slot] = await this.#create(slot);
  }

  async #create(slot: number): Promise<string> {
    this.created++;
    return ((await call('POST', '', requestOf(slot))) as Line).id;
  }

  async #remove(id: string): Promise<void> {
    this.results += (await look(id)).report.results;
    await call('DELETE', `/${id}`);
  }

  #killDecoder(): void {
    const decoders = server.children().filter(isFfmpeg);
    const chosen = decoders[this.killed % Math.max(1, decoders.length)];
    if (chosen === undefined) return;
    this.killed++;
    try {
      process.kill(chosen.pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test(
  'pipelines come and go for a long time: memory stays, no process is left, none is a zombie, no descriptor is kept',
  async () => {
    const world = new World();
    await world.start();
    await world.allRun();
    // Compiled code and heaps grow to what they need first, for a fifth of the time.
    const start = Date.now();
    const isUntil = (seconds: number): boolean => Date.now() - start < seconds * 1000;
    let rounds = 0;
    while (isUntil(SECONDS / 5) || rounds < PIPELINES) await world.round(rounds++);
    await world.stop();
    const idle = held();

    await world.start();
    const samples: Held[] = [];
    while (isUntil(SECONDS) || samples.length < PIPELINES) {
      await world.round(rounds++);
      samples.push(held());
      expect(await zombies()).toEqual([]);
    }
    await world.stop();
    const left = held();

    // Heaps grow to what they need for many minutes; what is lost with each pipeline goes on growing.
    const third = Math.ceil(samples.length / 3);
    const parts = [samples.slice(0, third), samples.slice(third, -third), samples.slice(-third)];
    const memory = parts.map((part) => Math.round(mean(part.map(({ memoryMiB }) => memoryMiB))));
    const [, middle = 0, late = Infinity] = memory;
    const { created, killed, results } = world;
    const told = {
      seconds: (Date.now() - start) / 1000,
      rounds,
      created,
      killed,
      results,
      datagrams,
      idle,
      left,
      memory,
    };
    process.stderr.write(`soak: ${JSON.stringify(told)}\n`);
    expect(late - middle, JSON.stringify(told)).toBeLessThan(MEMORY_MIB);
    expect(left.memoryMiB - idle.memoryMiB, JSON.stringify(told)).toBeLessThan(2 * MEMORY_MIB);
    // Connections of this test that are kept alive come and go.
    expect(left.descriptors - idle.descriptors, JSON.stringify(told)).toBeLessThan(8);
    expect(results).toBeGreaterThan(rounds);
  },
  (SECONDS + 600) * 1000,
);
