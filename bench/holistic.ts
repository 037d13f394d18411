/**
 * Holistic tracking of a video by our server and client, and by MediaPipe's Python `Holistic` (model_complexity 1): the same frames
 * of 640 × 480 on the same machine, in turns. Writes its part of docs/performance.md. MediaPipe is installed into
 * ~/.cache/millrace-peers on the first run; MEDIAPIPE_PYTHON names an interpreter that has it.
 *
 *     npm run bench:holistic
 *     npm run bench:holistic -- --rounds 7 --dry     writes nothing
 */
import { parseArgs } from 'node:util';
import { cpus, loadavg } from 'node:os';
import { GrpcClient } from '../src/client/index.ts';
import { StreamClient } from '../src/stream-client/index.ts';
import { PERSON } from '../test/support/clips.ts';
import { ROOT } from '../test/support/paths.ts';
import { startServer, type TestServer } from '../test/support/start-server.ts';
import { MediapipeHolistic } from './peers/mediapipe-holistic.ts';
import { cpuSeconds } from './peers/cpu-time.ts';
import { writeSection } from './performance-page.ts';
import { median } from './statistics.ts';

/** Frames at the start that do not count: both look for the person first. */
const WARM_UP = 10;

/** Of the video. */
const FRAMES = 150;

interface Speed {
  readonly framesPerSecond: number;
  /** Of the server and all its processes, of the client and its ffmpeg not; of MediaPipe, of the whole process. */
  readonly cpuMs: number;
}

const speedOf = (times: readonly number[], cpu: number): Speed => ({
  framesPerSecond: (times.length - WARM_UP - 1) / ((times.at(-1) ?? NaN) - (times[WARM_UP] ?? NaN)),
  cpuMs: (1000 * cpu) / times.length,
});

/** Every frame of the video through the server, by the client that `millrace client` is; pictures come back drawn. */
async function ours(server: TestServer, encoding: 'raw' | 'jpeg'): Promise<Speed> {
  using client = new GrpcClient({ address: server.grpcAddress });
  const times: number[] = [];
  const begun = cpuSeconds(server.pid);
  const run = new StreamClient({
    client,
    model: 'holisticTracking',
    inputName: 'first_input_video',
    outputName: 'output',
    source: PERSON,
    encoding,
    postprocess: (_, { outputs }) => {
      // Points come in answers of their own.
      if (outputs.some(({ name }) => name === 'output')) times.push(performance.now() / 1000);
      return undefined;
    },
  });
  await run.run();
  if (times.length !== FRAMES) throw new Error(`${times.length} pictures came back, ${FRAMES} expected`);
  return speedOf(times, cpuSeconds(server.pid) - begun);
}

const NODE_TIME = /^millrace_graph_node_time_us\{(.*)\} (\S+)$/gm;

/** Microseconds so far, by node of the graph. */
async function nodeTimes(server: TestServer): Promise<Map<string, number>> {
  const text = await (await fetch(`${server.restUrl}/metrics`)).text();
  const times = new Map<string, number>();
  for (const [, labels = '', value] of text.matchAll(NODE_TIME)) {
    const node = /node="([^"]*)"/.exec(labels)?.[1] ?? '';
    times.set(node, (times.get(node) ?? 0) + Number(value));
  }
  return times;
}

const WAYS = ['ours, JPEG', 'ours, raw', 'MediaPipe', 'MediaPipe, drawn'] as const;
type Way = (typeof WAYS)[number];

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function report(speeds: ReadonlyMap<Way, readonly Speed[]>, nodes: ReadonlyMap<string, number>, busy: number): string {
  const of = (way: Way, figure: keyof Speed): readonly number[] =>
    (speeds.get(way) ?? []).map((speed) => speed[figure]);
  const peers = of('MediaPipe, drawn', 'framesPerSecond');
  const ratio = (way: Way): string =>
    median(of(way, 'framesPerSecond').map((mine, at) => mine / (peers[at] ?? NaN))).toFixed(2);
  const shown = [...nodes].filter(([, ms]) => ms >= 0.1).toSorted((a, b) => b[1] - a[1]);
  const rest = [...nodes].filter(([, ms]) => ms < 0.1).reduce((sum, [, ms]) => sum + ms, 0);
  const names: Record<Way, string> = {
    'ours, JPEG': 'server and client, JPEG both ways, drawn',
    'ours, raw': 'server and client, raw pixels both ways, drawn',
    MediaPipe: 'MediaPipe, nothing drawn',
    'MediaPipe, drawn': 'MediaPipe, drawn as in its guide',
  };
  return [
    '## Holistic tracking beside MediaPipe',
    '',
    `\`npm run bench:holistic\`: the ${FRAMES} frames of a video of 640 × 480, in turns, ${peers.length} rounds, medians; ${cpus().length} cores of ${cpus()[0]?.model ?? 'an unknown CPU'}, load average ${busy.toFixed(1)} before. MediaPipe 0.10.14’s Python \`Holistic\` (model_complexity 1) is called in a loop by a program with nothing else to do; ours is a server with one host, asked over gRPC by one client, which decodes the video. CPU time is that of the server, and of MediaPipe’s whole process.`,
    '',
    row(['', 'frames/s', 'beside MediaPipe, drawn (target ≥ 1)', 'CPU ms per frame']),
    row(['-', '-', '-', '-']),
    ...WAYS.map((way) =>
      row([names[way], median(of(way, 'framesPerSecond')).toFixed(1), ratio(way), median(of(way, 'cpuMs')).toFixed(1)]),
    ),
    '',
    'CPU time has the models’ runs, of which the table above has the share; the rest are calculators, for JPEG its decoding and encoding, and the way of the pictures between client, front and host.',
    '',
    'Of ours by node of the graph (`millrace_graph_node_time_us`), milliseconds per frame, from 0.1 on; of models with the wait for their thread, since several frames are under way:',
    '',
    row(['node', 'ms']),
    row(['-', '-']),
    ...shown.map(([name, ms]) => row([`\`${name}\``, ms.toFixed(2)])),
    row(['all others together', rest.toFixed(2)]),
  ].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '5' }, dry: { type: 'boolean', default: false } },
  });
  const busy = loadavg()[0] ?? NaN;
  await using mediapipe = await MediapipeHolistic.start(PERSON);
  await using server = await startServer({ config: `${ROOT}/graphs/vision.json`, flags: ['--hosts', '1'] });
  const run: Record<Way, () => Promise<Speed>> = {
    'ours, JPEG': () => ours(server, 'jpeg'),
    'ours, raw': () => ours(server, 'raw'),
    MediaPipe: async () => {
      const { times, cpu } = await mediapipe.run('process');
      return speedOf(times, cpu);
    },
    'MediaPipe, drawn': async () => {
      const { times, cpu } = await mediapipe.run('draw');
      return speedOf(times, cpu);
    },
  };
  for (const way of WAYS) await run[way](); // compiled, and files in the cache
  const speeds = new Map<Way, Speed[]>(WAYS.map((way) => [way, []]));
  const before = await nodeTimes(server);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const way of WAYS) {
      const speed = await run[way]();
      speeds.get(way)?.push(speed);
      console.log(`${way}: ${speed.framesPerSecond.toFixed(1)} frames/s, ${speed.cpuMs.toFixed(1)} ms CPU per frame`);
    }
  }
  const frames = 2 * FRAMES * Number(values.rounds);
  const nodes = new Map([...(await nodeTimes(server))].map(([node, us]) => [node, (us - (before.get(node) ?? 0)) / 1000 / frames])); // prettier-ignore
  const text = report(speeds, nodes, busy);
  console.log(text);
  if (!values.dry) await writeSection('holistic', text);
}

await main();
