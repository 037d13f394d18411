/** Pictures that show hands, against what MediaPipe's own engine says; see `holistic/README.md`. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Image } from '../../src/media/image.ts';
import { typedData, type Tensor } from '../../src/tensor/tensor.ts';
import { cases, difference, mark, sidePackets, STREAMS, type Truth } from '../support/holistic-cases.ts';
import { ROOT } from '../support/paths.ts';
import { readImage, VisionGraph } from '../support/vision-graph.ts';

interface Sequence {
  readonly side_packets: Truth['side_packets'];
  readonly frames: readonly (Truth & { readonly timestamp: number; readonly right: number; readonly down: number })[];
}

interface Hands {
  readonly hands: readonly (readonly (readonly number[])[])[];
  readonly handedness: readonly number[];
  readonly regions: readonly Truth['outputs'][string][];
}

interface Cases {
  readonly holistic: Readonly<Record<string, Truth>>;
  readonly sequence: Sequence;
  readonly hand_tracking: Readonly<Record<string, Hands>>;
  readonly mirrored: Readonly<Record<string, Hands>>;
}

let truth: Cases;
beforeAll(async () => {
  truth = (await cases('hands.json')) as unknown as Cases;
});

const picture = (name: string): Promise<Image> => readImage(`${ROOT}/test/fixtures/media/${name}`);

/** A picture of the same size, each pixel the one at the place that `from` says. */
function rearranged(image: Image, from: (x: number, y: number) => readonly [x: number, y: number]): Image {
  const { width, height } = image;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fromX, fromY] = from(x, y);
      const at = (fromY * width + fromX) * 3;
      data.set((image.data as Uint8Array).subarray(at, at + 3), (y * width + x) * 3);
    }
  }
  return { ...image, data };
}

/** As numpy's `pad` with edges. */
function moved(image: Image, right: number, down: number): Image {
  return rearranged(image, (x, y) => [Math.max(0, x - right), Math.max(0, y - down)]);
}

const mirrored = (image: Image): Image => rearranged(image, (x, y) => [image.width - 1 - x, y]);

/** The largest difference of depths, in pixels as x is. */
function depthDifference(found: unknown, right: Truth['outputs'][string], width: number): number {
  const points = found as readonly { readonly z: number }[];
  const differences = (right as readonly (readonly number[])[]).map(([, , z = NaN], at) =>
    Math.abs((points[at]?.z ?? NaN) - z),
  );
  return Math.max(...differences) * width;
}

describe('holistic tracking', () => {
  let graph: VisionGraph;
  beforeAll(async () => {
    graph = await VisionGraph.load('holistic_tracking');
  });
  afterAll(() => graph[Symbol.asyncDispose]());

  it.each(['person.png', 'person-right.png'])('%s: hands and their regions are those of MediaPipe', async (name) => {
    const [image, right] = [await picture(name), truth.holistic[name]];
    if (right === undefined) throw new Error(`no case ${name}`);
    const streams = Object.keys(STREAMS).filter((each) => each in right.outputs || each.includes('hand'));
    const run = graph.start(streams.map((each) => STREAMS[each] ?? ''), sidePackets(right.side_packets)); // prettier-ignore
    const packets = await run.frame(image, 0);
    await run.end();
    for (const each of streams) {
      const [found, expected] = [packets.get(STREAMS[each] ?? ''), right.outputs[each]];
      expect(found !== undefined, `${each} is found`).toBe(expected !== undefined);
      if (expected === undefined) continue;
      expect(difference(found, expected, image, each), each).toBeLessThan(mark(each));
      if (each.endsWith('hand_landmarks')) expect(depthDifference(found, expected, image.width)).toBeLessThan(0.63);
    }
  });

  it('each hand has its side: the left one of a person who faces us is on our right', async () => {
    const run = graph.start(['left_hand_landmarks', 'right_hand_landmarks']);
    const packets = await run.frame(await picture('person.png'), 0);
    await run.end();
    for (const [side, isThere] of [
      ['left', (x: number) => x > 0.75],
      ['right', (x: number) => x < 0.25],
    ] as const) {
      const tensor = packets.get(`${side}_hand_landmarks`) as Tensor;
      expect(tensor).toMatchObject({ datatype: 'FP32', shape: [21, 3] });
      const across = [...typedData(tensor)].map(Number).filter((_, at) => at % 3 === 0);
      expect(across.filter(isThere), side).toHaveLength(21);
    }
    const alone = graph.start(['left_hand_landmarks', 'right_hand_landmarks']);
    expect([...(await alone.frame(await picture('person-right.png'), 0)).keys()]).toEqual(['right_hand_landmarks']);
    await alone.end();
  });

  it('hands that move are followed as by MediaPipe', async () => {
    const { side_packets, frames } = truth.sequence;
    const image = await picture('person.png');
    const names = Object.keys(frames[0]?.outputs ?? {}).filter((name) => name.includes('hand'));
    const run = graph.start(names.map((name) => STREAMS[name] ?? ''), sidePackets(side_packets)); // prettier-ignore
    for (const { timestamp, right, down, outputs } of frames) {
      const packets = await run.frame(moved(image, right, down), timestamp);
      for (const name of names) {
        const [found, expected] = [packets.get(STREAMS[name] ?? ''), outputs[name]];
        if (expected === undefined) throw new Error(`no ${name} at ${timestamp}`);
        expect(difference(found, expected, image, name), `${name} at ${timestamp}`).toBeLessThan(mark(name));
      }
    }
    await run.end();
    expect(names).toHaveLength(8);
  });
});

describe('hand tracking', () => {
  let graph: VisionGraph;
  beforeAll(async () => {
    graph = await VisionGraph.load('hand_tracking');
  });
  afterAll(() => graph[Symbol.asyncDispose]());

  it.each([
    ['person.png', 'hand_tracking'],
    ['person-right.png', 'hand_tracking'],
    ['hand.jpg', 'hand_tracking'],
    ['person-right.png', 'mirrored'],
    ['hand.jpg', 'mirrored'],
  ] as const)('%s, %s: regions, points and sides are those of MediaPipe', async (name, kind) => {
    const [original, right] = [await picture(name), truth[kind][name]];
    if (right === undefined) throw new Error(`no case ${name}`);
    const image = kind === 'mirrored' ? mirrored(original) : original;
    const run = graph.start(['rois', 'hands', 'handedness', 'hand_landmarks', 'output']);
    const packets = await run.frame(image, 0);
    await run.end();

    const [regions, hands] = [packets.get('rois') as unknown[], packets.get('hands') as unknown[]];
    expect([regions.length, hands.length]).toEqual([right.regions.length, right.hands.length]);
    for (const [at, region] of right.regions.entries()) {
      expect(difference(regions[at], region, image, 'region')).toBeLessThan(mark('hand'));
    }
    for (const [at, hand] of right.hands.entries()) {
      expect(difference(hands[at], hand, image, 'hand')).toBeLessThan(mark('hand'));
      expect(depthDifference(hands[at], hand, image.width)).toBeLessThan(0.63);
    }
    const scores = packets.get('handedness') as Tensor;
    expect(scores).toMatchObject({ datatype: 'FP32', shape: [right.handedness.length] });
    for (const [at, score] of [...typedData(scores)].entries()) expect(score).toBeCloseTo(right.handedness[at] ?? NaN, 2); // prettier-ignore
    expect(packets.get('hand_landmarks')).toMatchObject({ shape: [right.hands.length, 21, 3] });
    expect((packets.get('output') as Image).data).not.toEqual(image.data);
  });

  it('a picture without hands gives no points, and the picture unchanged', async () => {
    const image = await picture('astronaut.png');
    const run = graph.start(['hand_landmarks', 'handedness', 'output']);
    const packets = await run.frame(image, 0);
    await run.end();
    expect([...packets.keys()]).toEqual(['output']);
    expect((packets.get('output') as Image).data).toEqual(image.data);
  });
});
