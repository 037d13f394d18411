/**
 * Holistic tracking against what MediaPipe's own engine says; the cases and their grading are described in
 * `holistic/README.md`.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Landmark } from '../../src/calculators/message-types.ts';
import type { Image } from '../../src/media/image.ts';
import { typedData, type Tensor } from '../../src/tensor/tensor.ts';
import { cases, difference, mark, sidePackets, STREAMS, type Sequence, type Truth } from '../support/holistic-cases.ts';
import { ROOT } from '../support/paths.ts';
import { readImage, VisionGraph } from '../support/vision-graph.ts';

/** Pixels between the first 11 points, those of the head, and the true ones. */
function headDistances(found: unknown, truth: Truth['outputs'][string] | undefined, image: Image): number[] {
  const points = found as readonly Landmark[];
  return (truth as readonly (readonly number[])[]).slice(0, 11).map(([x = NaN, y = NaN], at) => {
    const { x: foundX = NaN, y: foundY = NaN } = points[at] ?? {};
    return Math.hypot((foundX - x) * image.width, (foundY - y) * image.height);
  });
}

let graph: VisionGraph;
beforeAll(async () => {
  graph = await VisionGraph.load('holistic_tracking');
});
afterAll(() => graph[Symbol.asyncDispose]());

describe('a still', () => {
  it.each(['full', 'lite', 'attention'])('%s: points and rectangles are those of MediaPipe', async (configuration) => {
    const image = await readImage(`${ROOT}/test/fixtures/media/astronaut.png`);
    const truth = (await cases<Record<string, Truth>>('image.json'))['astronaut.png']?.[configuration];
    if (truth === undefined) throw new Error(`no case ${configuration}`);
    const run = graph.start(
      [...Object.values(STREAMS), 'output', 'segmentation_mask'],
      sidePackets(truth.side_packets),
    );
    const packets = await run.frame(image, 0);
    await run.end();

    for (const [name, stream] of Object.entries(STREAMS)) {
      const right = truth.outputs[name];
      const found = packets.get(stream);
      expect(found !== undefined, `${name} is found`).toBe(right !== undefined);
      if (right === undefined) continue;
      expect(difference(found, right, image, name), name).toBeLessThan(mark(name, configuration));
    }
    expect(packets.has('segmentation_mask')).toBe(false);
    const drawn = packets.get('output') as Image;
    expect([drawn.width, drawn.height]).toEqual([image.width, image.height]);
    expect(drawn.data).not.toEqual(image.data);
  });

  it('gives the points as tensors, x and y in shares of the image', async () => {
    const image = await readImage(`${ROOT}/test/fixtures/media/astronaut.png`);
    const run = graph.start(['pose_landmarks', 'pose', 'face_landmarks', 'left_hand_landmarks']);
    const packets = await run.frame(image, 0);
    await run.end();
    const tensor = packets.get('pose_landmarks') as Tensor;
    expect(tensor).toMatchObject({ datatype: 'FP32', shape: [33, 5] });
    const [nose] = packets.get('pose') as readonly Landmark[];
    const values = [nose?.x, nose?.y, nose?.z, nose?.visibility, nose?.presence].map((value) =>
      Math.fround(value ?? NaN),
    );
    expect([...typedData(tensor)].slice(0, 5)).toEqual(values);
    expect(packets.get('face_landmarks')).toMatchObject({ shape: [468, 3] });
    expect(packets.has('left_hand_landmarks')).toBe(false);
  });

  it.each(['astronaut', 'person'])('%s: the mask is that of MediaPipe, where it is asked for', async (name) => {
    const image = await readImage(`${ROOT}/test/fixtures/media/${name}.png`);
    const truth = await readImage(`${ROOT}/test/conformance/holistic/mask-${name}.png`);
    const run = graph.start(['segmentation_mask'], { use_prev_landmarks: false, enable_segmentation: true });
    const mask = (await run.frame(image, 0)).get('segmentation_mask') as Image;
    await run.end();
    expect(mask).toMatchObject({ width: image.width, height: image.height, channels: 1, format: 'VEC32F1' });
    const differences = Array.from(mask.data, (value, at) => Math.abs(value - truth.data[truth.channels * at]! / 255));
    expect(differences.reduce((most, difference) => Math.max(most, difference), 0)).toBeLessThan(0.06);
    expect(differences.reduce((sum, difference) => sum + difference, 0) / differences.length).toBeLessThan(0.002);
  });

  it('without a person gives no points, and the picture unchanged', async () => {
    const image: Image = {
      width: 64,
      height: 48,
      channels: 3,
      format: 'SRGB',
      data: new Uint8Array(64 * 48 * 3).fill(90),
    };
    const run = graph.start(['output', ...Object.values(STREAMS)]);
    const packets = await run.frame(image, 0);
    await run.end();
    expect([...packets.keys()]).toEqual(['output']);
    expect((packets.get('output') as Image).data).toEqual(image.data);
  });
});

describe('a video', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-holistic-'));
    const filter = ['-vf', 'select=not(mod(n\\,3))', '-vsync', '0', '-q:v', '2', join(folder, '%03d.jpg')];
    const video = `${ROOT}/test/fixtures/media/astronaut-pan.mp4`;
    await promisify(execFile)('ffmpeg', ['-nostdin', '-loglevel', 'error', '-i', video, ...filter]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(['seq-pan', 'seq-pan-ts0'])(
    '%s: the face and the head of the pose are followed as by MediaPipe',
    async (name) => {
      const sequence = (await cases<Sequence>('sequence.json'))[name];
      if (sequence === undefined) throw new Error(`no case ${name}`);
      const names = ['pose_landmarks', 'face_landmarks', 'pose_rect_from_detection'];
      const streams = names.map((each) => STREAMS[each] ?? '');
      const run = graph.start(streams, sidePackets(sequence.side_packets));
      const heads: number[] = [];
      let detections = 0;
      for (const [at, { timestamp, outputs }] of sequence.frames.entries()) {
        const image = await readImage(join(folder, `${String(at + 1).padStart(3, '0')}.jpg`));
        const packets = await run.frame(image, timestamp);
        const [pose, face, detected] = streams.map((stream) => packets.get(stream));
        if (detected !== undefined) detections++;
        const rightFace = outputs['face_landmarks'];
        if (rightFace !== undefined) expect(difference(face, rightFace, image, `face ${at}`)).toBeLessThan(0.27);
        heads.push(...headDistances(pose, outputs['pose_landmarks'], image));
      }
      await run.end();
      expect(heads.length).toBe(11 * sequence.frames.length);
      expect(heads.reduce((sum, distance) => sum + distance) / heads.length).toBeLessThan(3.6);
      expect(detections, 'images in which the detector found a person').toBe(1);
    },
  );
});
