/** Calculators against MediaPipe's own, one by one; the values are made by `test/fixtures/make/engine.py`. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCalculator, type CalculatorDefinition, type PacketList } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { bytes, pattern, type Size } from '../../media/test-kit.ts';
import type { Detection, Landmark, Rect } from '../message-types.ts';
import { annotationOverlay } from './annotation-overlay.ts';
import { associationDetection, associationNormRect } from './association.ts';
import { detectionsToRenderData, rectToRenderData } from './boxes-to-render-data.ts';
import { imageTransformation } from './image-transformation.ts';
import { visibilityCopy, visibilitySmoothing } from './landmarks-smoothing.ts';
import { landmarksToRenderData } from './landmarks-to-render-data.ts';
import { roiTracking } from './roi-tracking.ts';
import { segmentationSmoothing } from './segmentation-smoothing.ts';
import { ssdAnchors, type Anchor } from './ssd-anchors.ts';
import { numbersOf, outputOf, pointsOf, rectOf } from './test-kit.ts';

type Numbers = readonly number[];
type Options = Readonly<Record<string, never>>;
/** x, y, z, visibility, presence; null where a point has none. */
type Rows = readonly (readonly (number | null)[])[];

interface Drawing {
  readonly calculator: string;
  readonly options: Options;
  readonly pixels: string;
  readonly points?: Rows;
  readonly scale?: number | null;
  readonly rects?: readonly Numbers[];
  /** Left, top, width, height. */
  readonly boxes?: readonly Numbers[];
  /** Of the first box. */
  readonly keyPoint?: Numbers;
}

interface Values {
  readonly anchors: readonly { readonly options: Options; readonly anchors: readonly Numbers[] }[];
  readonly transformations: readonly {
    readonly size: Size;
    readonly options: Options;
    readonly out: readonly [number, number];
    /** Two points, of [0.25, 0.375] and [0.75, 0.5], without the bars. */
    readonly moved: readonly Numbers[];
    readonly pixels?: string;
  }[];
  readonly roiTracking: readonly {
    readonly options: Options;
    readonly size: Numbers;
    readonly previous: Numbers;
    readonly fresh: Numbers;
    readonly points: readonly Numbers[];
    readonly chosen: Numbers | null;
  }[];
  readonly association: readonly {
    readonly options: Options;
    readonly rects: readonly (Numbers | null)[];
    readonly kept: readonly Numbers[];
  }[];
  readonly visibilitySmoothing: readonly {
    readonly options: Options;
    readonly frames: readonly Rows[];
    readonly smooth: readonly Rows[];
  }[];
  readonly visibilityCopy: readonly {
    readonly options: Options;
    readonly given: Rows;
    readonly to: readonly Numbers[];
    readonly copied: Rows;
  }[];
  readonly segmentationSmoothing: readonly {
    readonly options: Options;
    readonly now: Numbers;
    readonly before: Numbers;
    readonly calm: Numbers;
  }[];
  readonly drawings: readonly Drawing[];
}

const values = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/engine.json', import.meta.url), 'utf8'),
) as Values;

/** MediaPipe counts with 32 bits. */
function expectNear(found: unknown, expected: unknown): void {
  const flat = (value: unknown): unknown[] => [value].flat(9);
  const [a, b] = [flat(found), flat(expected)];
  expect(a).toHaveLength(b.length);
  a.forEach((value, at) => {
    if (b[at] === null) expect(value).toBeNull();
    else expect(value, `number ${at}`).toBeCloseTo(Number(b[at]), 5);
  });
}

const seenPointsOf = (rows: Rows): Landmark[] =>
  rows.map(([x, y, z, visibility, presence]) => ({
    ...{ x: x ?? NaN, y: y ?? NaN, z: z ?? NaN },
    ...(visibility == null ? {} : { visibility }),
    ...(presence == null ? {} : { presence }),
  }));

const seenRowsOf = (points: unknown): (number | null)[][] =>
  (points as readonly Landmark[]).map(({ x, y, z, visibility, presence }) => [x, y, z, visibility ?? null, presence ?? null]); // prettier-ignore

it.each(values.anchors)('SsdAnchorsCalculator: $options', async ({ options, anchors }) => {
  const { sidePackets } = await runCalculator(ssdAnchors, { options, outputSidePackets: [''] });
  const found = sidePackets[''] as readonly Anchor[];
  expectNear(found.map(({ xCenter, yCenter, width, height }) => [xCenter, yCenter, width, height]), anchors); // prettier-ignore
});

describe('ImageTransformationCalculator', () => {
  it.each(values.transformations)('$size: $options', async ({ size, options, out, moved, pixels }) => {
    const { outputs } = await runCalculator(imageTransformation, {
      inputs: { IMAGE: [[0, pattern(size)]] },
      options,
      outputs: ['IMAGE', 'LETTERBOX_PADDING'],
    });
    const image = outputs['IMAGE']?.[0]?.value as Image;
    expect([image.width, image.height]).toEqual(out);
    if (pixels !== undefined) {
      const right = bytes(pixels);
      expect(image.data).toHaveLength(right.length);
      const furthest = Array.from(image.data).reduce(
        (most, value, at) => Math.max(most, Math.abs(value - right[at]!)),
        0,
      );
      // Of linear scaling, as `src/media/pixels.test.ts`.
      expect(furthest).toBeLessThanOrEqual('output_width' in options ? 1 : 0);
    }
    const padding = outputs['LETTERBOX_PADDING']?.[0]?.value as Numbers;
    const [left = 0, top = 0, right = 0, bottom = 0] = padding;
    const without = (x: number, y: number) => [(x - left) / (1 - left - right), (y - top) / (1 - top - bottom)];
    expectNear([without(0.25, 0.375), without(0.75, 0.5)], moved);
  });
});

it('RoiTrackingCalculator chooses as MediaPipe', async () => {
  const kept = { previous: 0, fresh: 0 };
  for (const { options, size, previous, fresh, points, chosen } of values.roiTracking) {
    const inputs: Record<string, PacketList> = {
      PREV_LANDMARKS: [[0, pointsOf(points)]],
      PREV_LANDMARKS_RECT: [[0, rectOf(previous)]],
      RECROP_RECT: [[0, rectOf(fresh)]],
      IMAGE_SIZE: [[0, size]],
    };
    const found = (await outputOf(roiTracking, 'TRACKING_RECT', { inputs, options })) as Rect[];
    const what = JSON.stringify({ options, size, previous, fresh, points });
    expect(found.length, what).toBe(chosen === null ? 0 : 1);
    if (chosen === null) continue;
    expectNear(numbersOf(found[0]!), chosen);
    kept[Math.abs(chosen[0]! - fresh[0]!) < 1e-6 ? 'fresh' : 'previous']++;
  }
  expect(Math.min(kept.previous, kept.fresh), 'cases of each kind').toBeGreaterThan(20);
});

it('association calculators keep what MediaPipe keeps, in its order', async () => {
  const boxOf = ([x = 0, y = 0, width = 0, height = 0]: Numbers): Detection => ({ classes: [], xMin: x - width / 2, yMin: y - height / 2, width, height }); // prettier-ignore
  for (const { options, rects, kept } of values.association) {
    const inputsOf = (element: (rect: Numbers) => object): Record<string, PacketList> =>
      Object.fromEntries(rects.map((rect, at) => [`:${at}`, rect === null ? [] : [[0, [element(rect)]]]]));
    const [found] = (await outputOf(associationNormRect, '', { inputs: inputsOf(rectOf), options })) as [Rect[]];
    expectNear(
      found.map((rect) => numbersOf(rect).slice(0, 4)),
      kept,
    );
    const [boxes] = (await outputOf(associationDetection, '', { inputs: inputsOf(boxOf), options })) as [Detection[]];
    expectNear(
      boxes.map(({ xMin, yMin, width, height }) => [xMin + width / 2, yMin + height / 2, width, height]),
      kept,
    );
  }
});

it.each(values.visibilitySmoothing)('VisibilitySmoothingCalculator: $options', async ({ options, frames, smooth }) => {
  const inputs = { NORM_LANDMARKS: frames.map((rows, at) => [at, seenPointsOf(rows)] as const) };
  const found = await outputOf(visibilitySmoothing, 'NORM_FILTERED_LANDMARKS', { inputs, options });
  expectNear(found.map(seenRowsOf), smooth);
});

it.each(values.visibilityCopy)('VisibilityCopyCalculator: $options', async ({ options, given, to, copied }) => {
  const inputs: Record<string, PacketList> = { NORM_LANDMARKS_FROM: [[0, seenPointsOf(given)]], LANDMARKS_TO: [[0, pointsOf(to)]] }; // prettier-ignore
  const found = await outputOf(visibilityCopy, 'LANDMARKS_TO', { inputs, options });
  expectNear(found.map(seenRowsOf), [copied]);
});

it.each(values.segmentationSmoothing)(
  'SegmentationSmoothingCalculator: $options',
  async ({ options, now, before, calm }) => {
    const mask = (numbers: Numbers): Image => ({ width: 8, height: 6, channels: 1, format: 'VEC32F1', data: Float32Array.from(numbers) }); // prettier-ignore
    const inputs: Record<string, PacketList> = { MASK: [[0, mask(now)]], MASK_PREVIOUS: [[0, mask(before)]] };
    const [found] = (await outputOf(segmentationSmoothing, 'MASK_SMOOTHED', { inputs, options })) as [Image];
    expectNear([...found.data], calm);
  },
);

describe('marks, drawn', () => {
  function detectionsOf({ boxes = [], keyPoint: [x = 0, y = 0] = [] }: Drawing): Detection[] {
    return boxes.map(([xMin = 0, yMin = 0, width = 0, height = 0], at) => ({
      ...{ classes: [], xMin, yMin, width, height },
      ...(at === 0 ? { keyPoints: [{ x, y }] } : {}),
    }));
  }

  /** The calculator and its inputs. */
  function nodeOf(drawing: Drawing): [CalculatorDefinition, Record<string, PacketList>] {
    const { calculator, points, scale, rects } = drawing;
    if (calculator === 'LandmarksToRenderDataCalculator') {
      const scales: Record<string, PacketList> = scale == null ? {} : { RENDER_SCALE: [[0, scale]] };
      return [landmarksToRenderData, { NORM_LANDMARKS: [[0, seenPointsOf(points ?? [])]], ...scales }];
    }
    if (calculator === 'RectToRenderDataCalculator')
      return [rectToRenderData, { NORM_RECTS: [[0, (rects ?? []).map(rectOf)]] }];
    return [detectionsToRenderData, { DETECTIONS: [[0, detectionsOf(drawing)]] }];
  }

  const [WIDTH, HEIGHT] = [80, 60];
  const places = Array.from({ length: WIDTH * HEIGHT }, (_, at) => at);
  /** Colours on the way from one to another are nearly alike. */
  const isOther = (a: Image, at: number, b: Image, there: number) =>
    [0, 1, 2].some((channel) => Math.abs(a.data[3 * at + channel]! - b.data[3 * there + channel]!) > 12);

  /** Whether a pixel of one picture, or one that touches it, is so in the other. */
  function isNear(one: Image, at: number, other: Image): boolean {
    const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
    for (let down = Math.max(y - 1, 0); down <= Math.min(y + 1, HEIGHT - 1); down++) {
      for (let across = Math.max(x - 1, 0); across <= Math.min(x + 1, WIDTH - 1); across++) {
        if (!isOther(one, at, other, WIDTH * down + across)) return true;
      }
    }
    return false;
  }

  it.each(values.drawings)('$calculator: $options', async (drawing) => {
    const [definition, inputs] = nodeOf(drawing);
    const [marks] = await outputOf(definition, 'RENDER_DATA', { inputs, options: drawing.options });
    const image: Image = {
      width: WIDTH,
      height: HEIGHT,
      channels: 3,
      format: 'SRGB',
      data: new Uint8Array(WIDTH * HEIGHT * 3).fill(40),
    };
    const onto: Record<string, PacketList> = { IMAGE: [[0, image]], '': [[0, marks]] };
    const [drawn] = (await outputOf(annotationOverlay, 'IMAGE', { inputs: onto })) as [Image];
    const right: Image = { ...image, data: bytes(drawing.pixels) };
    const isDrawn = (at: number) => isOther(right, at, image, at);
    expect(places.filter(isDrawn).length).toBeGreaterThan(40);
    // Edges of lines may be a pixel off, and some corners where they meet.
    const others = places.filter((at) => !isNear(drawn, at, right) || !isNear(right, at, drawn));
    expect(others.length).toBeLessThanOrEqual(2);
  });
});
