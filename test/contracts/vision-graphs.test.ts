/** The graphs of `graphs/vision.json` beside holistic tracking, which `test/conformance/holistic.test.ts` grades. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import type { Detection, Landmark } from '../../src/calculators/message-types.ts';
import type { Image } from '../../src/media/image.ts';
import { ROOT } from '../support/paths.ts';
import { readImage, VisionGraph } from '../support/vision-graph.ts';

// Each test loads its models, whatever else the machine does.
vi.setConfig({ testTimeout: 60_000 });

const astronaut = await readImage(`${ROOT}/test/fixtures/media/astronaut.png`);
const nobody: Image = { ...astronaut, width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(120) };

/** Packets of the images given, one after another. */
async function run(
  name: string,
  streams: readonly string[],
  images: readonly Image[],
  sidePackets: Readonly<Record<string, unknown>> = {},
): Promise<ReadonlyMap<string, unknown>[]> {
  await using graph = await VisionGraph.load(name);
  const running = graph.start(streams, sidePackets);
  const packets: ReadonlyMap<string, unknown>[] = [];
  for (const [at, image] of images.entries()) packets.push(await running.frame(image, at * 33_333));
  await running.end();
  return packets;
}

const bytesOf = (image: Image | undefined): Buffer =>
  image === undefined ? Buffer.alloc(0) : Buffer.from(image.data.buffer, image.data.byteOffset, image.data.byteLength);

/** The packet of one stream, which is there. */
function packetOf<T>(packets: ReadonlyMap<string, unknown> | undefined, stream: string): T {
  expect(packets?.has(stream), stream).toBe(true);
  return packets?.get(stream) as T;
}

/** What MediaPipe finds in the picture, x and y in pixels. */
async function truth(configuration: string, name: string): Promise<readonly (readonly [number, number])[]> {
  const text = await readFile(`${ROOT}/test/conformance/holistic/image.json`, 'utf8');
  const { outputs } = (JSON.parse(text) as Record<string, Record<string, { outputs: Record<string, number[][]> }>>)['astronaut.png']![configuration]!; // prettier-ignore
  return outputs[name]!.map(([x = 0, y = 0]) => [x * 512, y * 512] as const);
}

function furthest(points: unknown, from: readonly (readonly [number, number])[]): number {
  const found = points as readonly Landmark[];
  expect(found).toHaveLength(from.length);
  return Math.max(...from.map(([x, y], at) => Math.hypot(found[at]!.x * 512 - x, found[at]!.y * 512 - y)));
}

describe('pose_tracking', () => {
  it('finds the pose as holistic tracking does, detects once, and again when the person is gone', async () => {
    const detected = 'poselandmarkcpu__detected_roi';
    const images = [astronaut, astronaut, nobody, astronaut];
    const packets = await run('pose_tracking', ['pose', 'pose_landmarks', detected], images, {
      smooth_landmarks: false,
    });
    expect(furthest(packets[0]?.get('pose'), await truth('full', 'pose_landmarks'))).toBeLessThan(0.3);
    expect(packets[0]?.get('pose_landmarks')).toMatchObject({ datatype: 'FP32', shape: [33, 5] });
    expect(packets.map((each) => [each.has('pose'), each.has(detected)])).toEqual([
      [true, true],
      [true, false],
      [false, false],
      [true, true],
    ]);
  });
});

describe('the mask of pose_tracking', () => {
  const masksOf = async (sidePackets: Readonly<Record<string, unknown>>): Promise<(Image | undefined)[]> => {
    const packets = await run('pose_tracking', ['segmentation_mask'], [astronaut, moved, nobody, astronaut], {
      enable_segmentation: true,
      smooth_landmarks: false,
      ...sidePackets,
    });
    return packets.map((each) => each.get('segmentation_mask') as Image | undefined);
  };
  /** The same picture, its pixels 8 to the right. */
  const moved: Image = { ...astronaut, data: new Uint8Array(astronaut.data.length) };
  (moved.data as Uint8Array).set(astronaut.data.subarray(0, -24), 24);

  it('is calmed by the one before, also by one from before a gap, unless that is off', async () => {
    const calm = await masksOf({});
    const plain = await masksOf({ smooth_segmentation: false });
    const isSame = calm.map((mask, at) => Buffer.compare(bytesOf(mask), bytesOf(plain[at])) === 0);
    expect(isSame).toEqual([true, false, true, false]);
    expect(calm[2]).toBeUndefined();
  });

  it('is there with the lighter model too', async () => {
    const [mask] = await masksOf({ model_complexity: 0 });
    const at = (x: number, y: number): number => mask?.data[512 * y + x] ?? NaN;
    expect(at(230, 120)).toBeGreaterThan(0.95);
    expect(at(500, 5)).toBeLessThan(0.05);
  });
});

describe('faces', () => {
  it('face_detection frames the face', async () => {
    const [packets] = await run('face_detection', ['output', 'detections'], [astronaut]);
    const [face] = packetOf<readonly Detection[]>(packets, 'detections');
    // Where MediaPipe finds the eyes in a cut-out of the same picture.
    const eyes = face?.keyPoints?.slice(0, 2).flatMap(({ x, y }) => [x, y]);
    [0.398, 0.2006, 0.4826, 0.2041].forEach((right, at) =>
      expect(Math.abs((eyes?.[at] ?? NaN) - right)).toBeLessThan(0.02),
    );
    expect(packetOf<Image>(packets, 'output').data).not.toEqual(astronaut.data);
  });

  it('face_mesh finds the points, refined where told, and follows them', async () => {
    const detections = 'facemeshcpu__detections';
    const [first, second] = await run('face_mesh', ['face', 'face_landmarks', detections], [astronaut, astronaut]);
    expect(furthest(first?.get('face'), await truth('full', 'face_landmarks'))).toBeLessThan(10);
    expect(first?.get('face_landmarks')).toMatchObject({ shape: [468, 3] });
    expect([first?.has(detections), second?.has(detections), second?.has('face')]).toEqual([true, false, true]);
    const [refined] = await run('face_mesh', ['face'], [astronaut], { refine_face_landmarks: true });
    expect(furthest(refined?.get('face'), await truth('attention', 'face_landmarks'))).toBeLessThan(10);
  });

  it('iris_tracking finds both irises', async () => {
    const [packets] = await run('iris_tracking', ['left_iris', 'right_iris', 'left_eye_contour'], [astronaut]);
    const irises = (await truth('attention', 'face_landmarks')).slice(468);
    const centre = (name: string) => packetOf<readonly Landmark[]>(packets, name).slice(0, 1);
    expect(furthest(centre('left_iris'), irises.slice(0, 1))).toBeLessThan(1);
    expect(furthest(centre('right_iris'), irises.slice(5, 6))).toBeLessThan(1);
    expect(packets?.get('left_eye_contour')).toMatchObject({ shape: [71, 3] });
  });
});

it('selfie_segmentation tells the person from what is behind', async () => {
  const [packets] = await run('selfie_segmentation', ['mask', 'output'], [astronaut]);
  const mask = packets?.get('mask') as Image;
  const output = packets?.get('output') as Image;
  expect([mask.width, mask.height, mask.format]).toEqual([512, 512, 'VEC32F1']);
  const at = (x: number, y: number) => y * 512 + x;
  expect(mask.data[at(225, 130)]).toBeGreaterThan(0.9);
  expect(mask.data[at(480, 20)]).toBeLessThan(0.1);
  expect([...output.data.subarray(at(480, 20) * 3, at(480, 20) * 3 + 3)]).toEqual([0, 0, 255]);
});

it('hand_tracking leaves a picture without hands alone', async () => {
  const packets = await run('hand_tracking', ['output', 'hand_landmarks'], [astronaut, nobody]);
  expect(packets.map((each) => [...each.keys()])).toEqual([['output'], ['output']]);
  expect(packetOf<Image>(packets[0], 'output').data).toEqual(astronaut.data);
});
