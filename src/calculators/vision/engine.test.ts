/** Calculators against MediaPipe's own, one by one; the values are made by `test/fixtures/make/engine.py`. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCalculator, type PacketList } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { bytes, pattern, type Size } from '../../media/test-kit.ts';
import type { Landmark, Rect } from '../message-types.ts';
import { associationNormRect } from './association.ts';
import { imageTransformation } from './image-transformation.ts';
import { visibilityCopy, visibilitySmoothing } from './landmarks-smoothing.ts';
import { roiTracking } from './roi-tracking.ts';
import { segmentationSmoothing } from './segmentation-smoothing.ts';
import { numbersOf, outputOf, pointsOf, rectOf } from './test-kit.ts';

type Numbers = readonly number[];
type Options = Readonly<Record<string, never>>;
/** x, y, z, visibility, presence; null where a point has none. */
type Rows = readonly (readonly (number | null)[])[];

interface Values {
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

it('AssociationNormRectCalculator keeps what MediaPipe keeps, in its order', async () => {
  for (const { options, rects, kept } of values.association) {
    const inputs = Object.fromEntries(rects.map((rect, at) => [at === 0 ? '' : `:${at}`, rect === null ? [] : [[0, [rectOf(rect)]]]])); // prettier-ignore
    const [found] = (await outputOf(associationNormRect, '', { inputs: inputs as never, options })) as [Rect[]];
    expectNear(found.map((rect) => numbersOf(rect).slice(0, 4)), kept); // prettier-ignore
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
