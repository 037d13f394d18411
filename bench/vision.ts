/**
 * Images: cutting regions out, decoding JPEG, and where the time of holistic tracking goes, node by node. One process, one core;
 * the best tenth of the times. Writes its part of docs/performance.md.
 *
 *     npm run bench:vision
 *     npm run bench:vision -- --dry     writes nothing
 */
import { cpus, loadavg } from 'node:os';
import { Letterboxer } from '../src/calculators/vision/letterbox.ts';
import { Cropper } from '../src/media/crop.ts';
import type { Image } from '../src/media/image.ts';
import { decodeImage, encodeImage } from '../src/media/image-codec.ts';
import { resize } from '../src/media/resize.ts';
import { ROOT } from '../test/support/paths.ts';
import { cpuMsOfProcess, readImage, VisionGraph } from '../test/support/vision-graph.ts';
import { writeSection } from './performance-page.ts';
import { percentile } from './statistics.ts';

/** What is meant to be reached: milliseconds, and the share of a frame that is not models. */
const TARGETS = { crop: 0.8, jpeg: 15, ownShare: 0.25 };

const ROUNDS = 200;
const FRAMES = 120;
const WARM_UP = 20;

/** The time that one in ten takes at most: what others do on the machine counts little. */
const usual = (times: readonly number[]): number => percentile(times, 0.1);

/** Milliseconds of CPU, all threads together. */
async function usualMs(rounds: number, work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begun = cpuMsOfProcess();
    await work();
    times.push(cpuMsOfProcess() - begun);
  }
  return usual(times.slice(Math.floor(rounds / 10)));
}

const photo = await readImage(`${ROOT}/test/fixtures/media/astronaut.png`);
const vga = resize(photo, 640, 480, 'linear');

async function cropMs(): Promise<number> {
  const cropper = new Cropper(256, 256, 'replicate');
  const levels = Float32Array.from({ length: 256 }, (_, at) => at / 255);
  const out = new Float32Array(256 * 256 * 3);
  const region = { x: 300, y: 250, width: 420, height: 420, rotation: 0.4 };
  return usualMs(ROUNDS, () => cropper.crop(vga, region, levels, out));
}

async function jpegMs(): Promise<number> {
  const file = await encodeImage(resize(photo, 1920, 1080, 'linear'), 'image/jpeg');
  const letterboxer = new Letterboxer(640, 640);
  return usualMs(ROUNDS / 4, async () => letterboxer.apply(await decodeImage(file, 'frame')));
}

interface FrameTimes {
  readonly total: number;
  readonly models: number;
  /** Milliseconds of CPU: what others do on the machine does not count. */
  readonly cpu: number;
  readonly modelsCpu: number;
  /** Milliseconds of a frame by calculator, those of models as of the models. */
  readonly parts: ReadonlyMap<string, number>;
}

async function holistic(image: Image): Promise<FrameTimes> {
  const frames: FrameTimes[] = [];
  let parts = new Map<string, number>();
  let models = 0;
  let modelsCpu = 0;
  const add = (name: string, ms: number) => parts.set(name, (parts.get(name) ?? 0) + ms);
  await using graph = await VisionGraph.load('holistic_tracking', (model, ns, cpuMs) => {
    models += ns / 1e6;
    modelsCpu += cpuMs;
    add(`model ${model}`, ns / 1e6);
  });
  const onNodeRun = (node: string, microseconds: number) => {
    const calculator =
      /(\w+?)Calculator(_\d+)?$/.exec(node.slice(node.lastIndexOf('__') + 1))?.[1]?.replace(/^_+/, '') ?? node;
    if (calculator !== 'OpenVINOInference') add(calculator, microseconds / 1000);
  };
  const run = graph.start(['output'], {}, { onNodeRun });
  for (let at = 0; at < FRAMES; at++) {
    parts = new Map();
    models = 0;
    modelsCpu = 0;
    const begun = performance.now();
    const cpuBegun = cpuMsOfProcess();
    await run.frame(image, at * 33_333);
    frames.push({ total: performance.now() - begun, models, cpu: cpuMsOfProcess() - cpuBegun, modelsCpu, parts });
  }
  await run.end();
  const counted = frames.slice(WARM_UP);
  const names = new Set(counted.flatMap(({ parts: each }) => [...each.keys()]));
  return {
    total: usual(counted.map(({ total }) => total)),
    models: usual(counted.map((each) => each.models)),
    cpu: usual(counted.map(({ cpu }) => cpu)),
    modelsCpu: usual(counted.map((each) => each.modelsCpu)),
    parts: new Map([...names].map((name) => [name, usual(counted.map(({ parts: each }) => each.get(name) ?? 0))])),
  };
}

const ms = (value: number): string => value.toFixed(2);
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function report(crop: number, jpeg: number, { total, models, cpu, modelsCpu, parts }: FrameTimes): string {
  const own = cpu - modelsCpu;
  const shown = [...parts].filter(([, time]) => time >= 0.05).toSorted((a, b) => b[1] - a[1]);
  return [
    '## Images and holistic tracking',
    '',
    `\`npm run bench:vision\`: one process, models on one thread of ${cpus()[0]?.model ?? 'an unknown CPU'}, the best tenth, beside other work (load average ${loadavg()[0]?.toFixed(1)} on ${cpus().length} cores).`,
    '',
    row(['what', 'ms', 'target']),
    row(['-', '-', '-']),
    row(['CPU: a turned region of 640 × 480 as a tensor of 256 × 256', ms(crop), `≤ ${TARGETS.crop}`]),
    row(['CPU: a JPEG of 1920 × 1080, decoded and letterboxed to 640 × 640', ms(jpeg), `≤ ${TARGETS.jpeg}`]),
    row(['wall clock: holistic tracking of a frame of 640 × 480, drawn', ms(total), '']),
    row(['of that, models', ms(models), '']),
    row(['CPU: the same', ms(cpu), '']),
    row(['of that, models', ms(modelsCpu), '']),
    row(['of that, all else', `${ms(own)} (${Math.round((100 * own) / cpu)} %)`, `≤ ${TARGETS.ownShare * 100} %`]),
    '',
    'A frame of holistic tracking by models and calculators, all nodes of a kind together, from 0.05 ms on:',
    '',
    row(['what', 'ms']),
    row(['-', '-']),
    ...shown.map(([name, time]) => row([name, ms(time)])),
  ].join('\n');
}

const text = report(await cropMs(), await jpegMs(), await holistic(vga));
console.log(text);
if (!process.argv.includes('--dry')) await writeSection('vision', text);
