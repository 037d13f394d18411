import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import type { Image } from '../../src/media/image.ts';
import { builtinCalculators } from '../../src/calculators/index.ts';
import { CalculatorRegistry, GraphRun, parseGraphConfig, validateGraph, type Packet } from '../../src/graph/index.ts';
import type { ModelService } from '../../src/runtime/model-service.ts';
import type { ModelSession } from '../../src/runtime/model-session.ts';
import { onnxBackend } from '../../src/runtime/onnx/backend.ts';
import type { InferenceResponse } from '../../src/tensor/inference.ts';
import { tensorOf, typedData, type Tensor } from '../../src/tensor/tensor.ts';
import { ROOT } from '../support/paths.ts';

const registry = new CalculatorRegistry(builtinCalculators);
const sessions = new Map<string, ModelSession>();
const models: ModelService = {
  session(name) {
    const session = sessions.get(name);
    if (session === undefined) throw new Error(`no model "${name}"`);
    return session;
  },
};

beforeAll(async () => {
  for (const name of ['sensor_gru', 'shapes']) {
    const options = {
      name,
      version: '1',
      path: `${ROOT}/models/${name}/1/model.onnx`,
      executionProviders: ['cpu'],
      intraOpThreads: 1,
      runDeadlineMs: 0,
    } as const;
    sessions.set(name, await onnxBackend.load(options, { runStarted() {}, runEnded() {} }, silentLogger));
  }
});

afterAll(async () => {
  for (const session of sessions.values()) await session[Symbol.asyncDispose]();
});

/** Starts `graphs/<name>/graph.pbtxt`; what it puts out on `output` is collected. */
async function start(name: string, output: string): Promise<{ run: GraphRun; packets: Packet[] }> {
  const file = `graphs/${name}/graph.pbtxt`;
  const config = parseGraphConfig(await readFile(`${ROOT}/${file}`, 'utf8'), file);
  const run = new GraphRun(validateGraph(config, registry), { services: new Map([['models', models]]) });
  const packets: Packet[] = [];
  run.observe(output, (packet) => packets.push(packet));
  run.start();
  return { run, packets };
}

async function fixture<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(`${ROOT}/test/fixtures/${name}`, 'utf8')) as T;
}

async function end(run: GraphRun): Promise<void> {
  run.closeAllInputs();
  await run.waitUntilDone();
}

const fp32 = (name: string, values: readonly number[], shape = [values.length]) =>
  tensorOf(name, 'FP32', shape, new Float32Array(values));
const numbers = (packet: Packet | undefined) => Array.from(typedData(packet?.value as Tensor), Number);

describe('graphs/identity', () => {
  it('answers a request with its tensors under their output names', async () => {
    const { run, packets } = await start('identity', 'response');
    const inputs = [fp32('INPUT0', [1, 2]), fp32('other', [3])];
    run.addPacket('request', {
      value: { servable: 'identity', version: '', id: '', inputs, outputs: [] },
      timestamp: 0n,
    });
    await end(run);
    const [response] = packets.map(({ value }) => value as InferenceResponse);
    expect(response?.outputs.map(({ name }) => name)).toEqual(['OUTPUT0', 'other']);
  });
});

describe('graphs/counter', () => {
  it('sums over a stream, and starts from 0 in the next', async () => {
    const { run, packets } = await start('counter', 'output');
    [1, 2, 3].forEach((value, at) => run.addPacket('input', { value: fp32('input', [value]), timestamp: BigInt(at) }));
    await end(run);
    expect(packets.map((packet) => numbers(packet)[0])).toEqual([1, 3, 6]);

    const next = await start('counter', 'output');
    next.run.addPacket('input', { value: fp32('input', [5]), timestamp: 0n });
    await end(next.run);
    expect(next.packets.map((packet) => numbers(packet)[0])).toEqual([5]);
  });
});

describe('graphs/anomaly', () => {
  interface Anomaly {
    readonly chunks: readonly number[];
    readonly anomalies: readonly number[];
    readonly signal: readonly number[];
    readonly scores: readonly number[];
  }

  /** Feeds the signal in chunks, all at once or each after the scores of the one before. */
  async function scores(signal: readonly number[], chunks: readonly number[], waits: boolean): Promise<number[]> {
    const { run, packets } = await start('anomaly', 'scores');
    let at = 0;
    for (const [index, length] of chunks.entries()) {
      const value = fp32('signal', signal.slice(at, at + length), [1, length]);
      run.addPacket('signal', { value, timestamp: BigInt(index * 10) });
      at += length;
      if (!waits) continue;
      await run.waitUntilIdle();
      expect(packets).toHaveLength(index + 1);
    }
    await end(run);
    expect(packets.map(({ timestamp }) => timestamp)).toEqual(chunks.map((_, index) => BigInt(index * 10)));
    return packets.flatMap(numbers);
  }

  it.each([
    ['each chunk answered before the next', true],
    ['all chunks sent at once', false],
  ])('scores as Python does with the state passed on by hand: %s', async (_, waits) => {
    const expected = await fixture<Anomaly>('anomaly.json');
    const found = await scores(expected.signal, expected.chunks, waits);
    expect(found).toHaveLength(expected.scores.length);
    found.forEach((score, at) => expect(Math.abs(score - (expected.scores[at] ?? NaN))).toBeLessThan(1e-5));
    for (const at of expected.anomalies) expect(found[at]).toBeGreaterThan(0.7);
  });

  it('scores alike however the signal is cut', async () => {
    const { signal, scores: expected } = await fixture<Anomaly>('anomaly.json');
    const found = await scores(signal, new Array<number>(signal.length).fill(1), false);
    found.forEach((score, at) => expect(Math.abs(score - (expected[at] ?? NaN))).toBeLessThan(1e-5));
  });

  it('keeps the state of two streams apart', async () => {
    const { signal, scores: expected } = await fixture<Anomaly>('anomaly.json');
    const both = await Promise.all([scores(signal, [120, 120], false), scores(signal, [60, 180], false)]);
    for (const found of both) {
      found.forEach((score, at) => expect(Math.abs(score - (expected[at] ?? NaN))).toBeLessThan(1e-5));
    }
  });

  it('ends with the reason when a chunk does not fit the model', async () => {
    const { run } = await start('anomaly', 'scores');
    run.addPacket('signal', { value: fp32('signal', [1, 2]), timestamp: 0n });
    await expect(end(run)).rejects.toThrow(
      /unexpected shape for input 'signal' for model 'sensor_gru'. Expected \[1,-1\], got \[2\]/,
    );
  });
});

const CLASSES = ['circle', 'square', 'triangle'];

interface Scene {
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly { readonly name: string; readonly box: readonly number[] }[];
}

function grey(width: number, height: number): Image {
  return { width, height, channels: 3, format: 'SRGB', data: new Uint8Array(width * height * 3).fill(90) };
}

/** Intersection over union of two boxes: x1, y1, x2, y2. */
function overlap(a: readonly number[], b: readonly number[]): number {
  const [ax1 = 0, ay1 = 0, ax2 = 0, ay2 = 0] = a;
  const [bx1 = 0, by1 = 0, bx2 = 0, by2 = 0] = b;
  const both =
    Math.max(0, Math.min(ax2, bx2) - Math.max(ax1, bx1)) * Math.max(0, Math.min(ay2, by2) - Math.max(ay1, by1));
  return both / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - both);
}

describe('graphs/detect', () => {
  it('finds each shape of a generated scene and nothing else', async () => {
    const { width, height, shapes } = await fixture<Scene>('shapes-scene.json');
    const data = new Uint8Array(await readFile(`${ROOT}/test/fixtures/shapes-scene.rgb`));
    const value: Image = { width, height, channels: 3, format: 'SRGB', data };
    const { run, packets } = await start('detect', 'detections');
    run.addPacket('image', { value, timestamp: 40_000n });
    await end(run);

    expect(packets).toMatchObject([{ timestamp: 40_000n, value: { datatype: 'FP32', shape: [shapes.length, 6] } }]);
    const flat = numbers(packets[0]);
    const found = shapes.map((_, at) => flat.slice(at * 6, at * 6 + 6));
    for (const { name, box } of shapes) {
      const match = found.find((row) => overlap(row, box) > 0.7);
      expect(match?.[5], `${name} at ${box.join(', ')}`).toBe(CLASSES.indexOf(name));
      expect(match?.[4]).toBeGreaterThan(0.5);
    }
  });

  it('gives an empty tensor for a picture without shapes', async () => {
    const { run, packets } = await start('detect', 'detections');
    const value = grey(64, 48);
    run.addPacket('image', { value, timestamp: 0n });
    await end(run);
    expect(packets).toMatchObject([{ value: { shape: [0, 6] } }]);
  });
});

describe('graphs/object_detection', () => {
  /** The scene in a larger picture, its corner at `left` and `top`. */
  async function sceneIn(image: Image, left: number, top: number): Promise<Image> {
    const { width, height } = await fixture<Scene>('shapes-scene.json');
    const data = new Uint8Array(await readFile(`${ROOT}/test/fixtures/shapes-scene.rgb`));
    for (let y = 0; y < height; y++) {
      const row = data.subarray(3 * y * width, 3 * (y + 1) * width);
      (image.data as Uint8Array).set(row, 3 * ((top + y) * image.width + left));
    }
    return image;
  }

  async function packetOf(output: string, value: Image): Promise<Packet | undefined> {
    const { run, packets } = await start('object_detection', output);
    run.addPacket('image', { value, timestamp: 5n });
    await end(run);
    expect(packets.map(({ timestamp }) => timestamp)).toEqual([5n]);
    return packets[0];
  }

  /** What it draws on the image, and what it says that it has found. */
  async function detect(image: Image): Promise<{ drawn: Image; found: number[][] }> {
    const flat = numbers(await packetOf('detections', image));
    const found = Array.from({ length: flat.length / 6 }, (_, at) => flat.slice(at * 6, at * 6 + 6));
    return { drawn: (await packetOf('output', image))?.value as Image, found };
  }

  // The smaller the scene is in the model's input, the fewer it finds.
  it.each([
    ['as it is', 200, 150, 0, 0, 4],
    ['in a wide picture', 320, 150, 100, 0, 3],
    ['in a tall picture', 200, 270, 0, 90, 3],
  ])('frames shapes of a generated scene, %s', async (_, width, height, left, top, count) => {
    const { shapes } = await fixture<Scene>('shapes-scene.json');
    const image = await sceneIn(grey(width, height), left, top);
    const before = image.data.slice();
    const { drawn, found } = await detect(image);
    expect(image.data).toEqual(before);
    expect([drawn.width, drawn.height]).toEqual([width, height]);
    expect(found).toHaveLength(count);
    const isWhite = (x: number, y: number) =>
      drawn.data
        .subarray(3 * (y * width + x))
        .slice(0, 3)
        .every((value) => value === 255);
    for (const [l = 0, t = 0, r = 0, b = 0, , kind = 0] of found.map((row) => row.map(Math.round))) {
      const inScene = [l - left, t - top, r - left, b - top];
      const shape = shapes.find(({ box }) => overlap(inScene, box) > 0.7);
      expect(shape?.name, inScene.join(', ')).toBe(CLASSES[kind]);
      const [x, y] = [Math.round((l + r) / 2), Math.round((t + b) / 2)];
      const places = [[l, y], [r, y], [x, t], [x, b], [x, y]] as const; // prettier-ignore
      expect(
        places.map((place) => isWhite(...place)),
        shape?.name,
      ).toEqual([true, true, true, true, false]);
    }
  });

  it('gives a picture without shapes as it was', async () => {
    const { drawn, found } = await detect(grey(64, 48));
    expect(found).toEqual([]);
    expect(drawn.data).toEqual(grey(64, 48).data);
  });
});

describe('builtinCalculators', () => {
  it('has no name twice', () => {
    expect(registry.names()).toHaveLength(builtinCalculators.length);
  });
});
