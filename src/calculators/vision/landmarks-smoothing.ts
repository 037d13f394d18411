import { z } from 'zod';
import { defineCalculator, optional } from '../../graph/index.ts';
import {
  imageSize,
  landmarkList,
  normalizedLandmarkList,
  normalizedRect,
  placed,
  rect,
  type ImageSize,
  type Landmark,
  type Rect,
} from '../message-types.ts';
import { LowPassFilter, OneEuroFilter, VelocityFilter } from './filters.ts';

const scaling = {
  minAllowedObjectScale: z.number().default(1e-6).describe('A smaller object is not filtered.'),
  disableValueScaling: z.boolean().default(false).describe('Speeds count as they are, not by the size of the object.'),
};

const options = z.object({
  noFilter: z.object({}).optional().describe('Nothing is filtered.'),
  velocityFilter: z
    .object({
      windowSize: z.int().min(1).default(5).describe('Steps over which the speed is measured.'),
      velocityScale: z.number().default(10).describe('How much of a change passes at a speed of 1.'),
      ...scaling,
    })
    .optional()
    .describe('Lets the more of a change pass the faster it is.'),
  oneEuroFilter: z
    .object({
      frequency: z.number().positive().default(30).describe('Hz, before two times are known.'),
      minCutoff: z.number().positive().default(1).describe('Hz, of a point at rest; lower is smoother.'),
      beta: z.number().default(0).describe('How much faster it follows the faster a point moves.'),
      derivateCutoff: z.number().positive().default(1).describe('Hz, of the speed.'),
      ...scaling,
    })
    .optional()
    .describe('Smooths more the slower a point moves.'),
});

type Options = z.infer<typeof options>;

interface CoordinateFilter {
  apply(timeUs: bigint, value: number, scale: number): number;
}

/** One filter for each coordinate of each point. */
class LandmarksFilter {
  readonly #make: () => CoordinateFilter;
  readonly #scaling: { readonly minAllowedObjectScale: number; readonly disableValueScaling: boolean };
  #filters: CoordinateFilter[] = [];

  constructor(
    make: () => CoordinateFilter,
    settings: { readonly minAllowedObjectScale: number; readonly disableValueScaling: boolean },
  ) {
    this.#make = make;
    this.#scaling = settings;
  }

  reset(): void {
    this.#filters = [];
  }

  /**
   * @param size of what x and z, and y, are shares of; 1 × 1 where they are not
   * @param objectScale in the units that the points then have
   */
  apply(
    points: readonly Landmark[],
    timeUs: bigint,
    [width, height]: ImageSize,
    objectScale: number,
  ): readonly Landmark[] {
    const { minAllowedObjectScale, disableValueScaling } = this.#scaling;
    if (!disableValueScaling && objectScale < minAllowedObjectScale) return points;
    const scale = disableValueScaling ? 1 : 1 / objectScale;
    if (this.#filters.length !== points.length * 3) {
      this.#filters = Array.from({ length: points.length * 3 }, this.#make);
    }
    return points.map((point, at) =>
      placed(
        point,
        this.#filters[3 * at]!.apply(timeUs, point.x * width, scale) / width,
        this.#filters[3 * at + 1]!.apply(timeUs, point.y * height, scale) / height,
        this.#filters[3 * at + 2]!.apply(timeUs, point.z * width, scale) / width,
      ),
    );
  }
}

function filterOf({ velocityFilter, oneEuroFilter }: Options): LandmarksFilter | undefined {
  if (oneEuroFilter !== undefined) return new LandmarksFilter(() => new OneEuroFilter(oneEuroFilter), oneEuroFilter);
  if (velocityFilter === undefined) return undefined;
  return new LandmarksFilter(() => new VelocityFilter(velocityFilter), velocityFilter);
}

/**
 * Smooths moving points: NORM_LANDMARKS beside IMAGE_SIZE, or LANDMARKS in metres. Speeds count by the size of the object:
 * that of OBJECT_SCALE_ROI, else of the box around the points. A time without points (but with IMAGE_SIZE) starts anew.
 * Filters measure time by timestamps, in µs.
 *
 * node {
 *   calculator: "LandmarksSmoothingCalculator"
 *   input_stream: "NORM_LANDMARKS:landmarks"
 *   input_stream: "IMAGE_SIZE:size"
 *   output_stream: "NORM_FILTERED_LANDMARKS:smooth_landmarks"
 *   options { [mediapipe.LandmarksSmoothingCalculatorOptions.ext] {
 *     one_euro_filter { min_cutoff: 0.05 beta: 80.0 derivate_cutoff: 1.0 }
 *   } }
 * }
 */
export const landmarksSmoothing = defineCalculator({
  name: 'LandmarksSmoothingCalculator',
  options,
  inputs: {
    NORM_LANDMARKS: optional(normalizedLandmarkList),
    LANDMARKS: optional(landmarkList),
    IMAGE_SIZE: optional(imageSize),
    OBJECT_SCALE_ROI: optional(normalizedRect),
  },
  outputs: { NORM_FILTERED_LANDMARKS: optional(normalizedLandmarkList), FILTERED_LANDMARKS: optional(landmarkList) },
  timestampOffset: 0,
  measuresTime: true,
  check(given) {
    const chosen = [given.noFilter, given.velocityFilter, given.oneEuroFilter].filter((one) => one !== undefined);
    return chosen.length === 1 ? undefined : 'one of no_filter, velocity_filter and one_euro_filter expected';
  },
  contract({ inputs, outputs, fail }) {
    const isNormalized = inputs.has('NORM_LANDMARKS');
    if (isNormalized === inputs.has('LANDMARKS')) fail('NORM_LANDMARKS or LANDMARKS expected');
    if (isNormalized && !inputs.has('IMAGE_SIZE')) fail('IMAGE_SIZE expected beside NORM_LANDMARKS');
    const output = isNormalized ? 'NORM_FILTERED_LANDMARKS' : 'FILTERED_LANDMARKS';
    if (!outputs.has(output)) fail(`output ${output} expected`);
    const roi = inputs.get('OBJECT_SCALE_ROI');
    if (roi !== undefined && !isNormalized) roi.type = rect;
  },
  open({ options: given }) {
    const filter = filterOf(given);
    return {
      process({ inputs, outputs, timestamp }) {
        const points = (inputs.NORM_LANDMARKS ?? inputs.LANDMARKS)?.packet?.value;
        if (points === undefined) return filter?.reset();
        const size: ImageSize | undefined = inputs.IMAGE_SIZE?.packet?.value ?? (inputs.LANDMARKS && [1, 1]);
        if (size === undefined) return;
        const roi = inputs.OBJECT_SCALE_ROI?.packet?.value;
        if (inputs.OBJECT_SCALE_ROI !== undefined && roi === undefined) return;
        const scale = roi === undefined ? scaleOfPoints(points, size) : scaleOfRect(roi, size);
        const output = outputs.NORM_FILTERED_LANDMARKS ?? outputs.FILTERED_LANDMARKS;
        output?.send(filter === undefined ? points : filter.apply(points, timestamp, size, scale));
      },
    };
  },
});

const scaleOfRect = ({ width, height }: Rect, [across, down]: ImageSize): number =>
  (width * across + height * down) / 2;

function scaleOfPoints(points: readonly Landmark[], [width, height]: ImageSize): number {
  const span = (values: readonly number[]) => Math.max(...values) - Math.min(...values);
  return (span(points.map(({ x }) => x)) * width + span(points.map(({ y }) => y)) * height) / 2;
}

/**
 * Smooths the visibility of points.
 *
 * node {
 *   calculator: "VisibilitySmoothingCalculator"
 *   input_stream: "NORM_LANDMARKS:landmarks"
 *   output_stream: "NORM_FILTERED_LANDMARKS:smooth_landmarks"
 *   options { [mediapipe.VisibilitySmoothingCalculatorOptions.ext] { low_pass_filter { alpha: 0.1 } } }
 * }
 */
export const visibilitySmoothing = defineCalculator({
  name: 'VisibilitySmoothingCalculator',
  options: z.object({
    noFilter: z.object({}).optional().describe('Nothing is filtered.'),
    lowPassFilter: z
      .object({ alpha: z.number().min(0).max(1).default(0.1).describe('Weight of the new value.') })
      .optional()
      .describe('Follows with inertia.'),
  }),
  inputs: { NORM_LANDMARKS: optional(normalizedLandmarkList), LANDMARKS: optional(landmarkList) },
  outputs: { NORM_FILTERED_LANDMARKS: optional(normalizedLandmarkList), FILTERED_LANDMARKS: optional(landmarkList) },
  timestampOffset: 0,
  check({ noFilter, lowPassFilter }) {
    return (noFilter === undefined) === (lowPassFilter === undefined)
      ? 'no_filter or low_pass_filter expected'
      : undefined;
  },
  contract({ inputs, outputs, fail }) {
    if (inputs.has('NORM_LANDMARKS') === inputs.has('LANDMARKS')) fail('NORM_LANDMARKS or LANDMARKS expected');
    const output = inputs.has('LANDMARKS') ? 'FILTERED_LANDMARKS' : 'NORM_FILTERED_LANDMARKS';
    if (!outputs.has(output)) fail(`output ${output} expected`);
  },
  open({ options: { lowPassFilter } }) {
    let filters: LowPassFilter[] = [];
    return {
      process({ inputs, outputs }) {
        const points = (inputs.NORM_LANDMARKS ?? inputs.LANDMARKS)?.packet?.value;
        if (points === undefined) {
          filters = [];
          return;
        }
        if (filters.length !== points.length) filters = points.map(() => new LowPassFilter());
        const smooth = (point: Landmark, at: number): Landmark =>
          lowPassFilter === undefined || point.visibility === undefined
            ? point
            : { ...point, visibility: filters[at]!.apply(point.visibility, lowPassFilter.alpha) };
        (outputs.NORM_FILTERED_LANDMARKS ?? outputs.FILTERED_LANDMARKS)?.send(points.map(smooth));
      },
    };
  },
});

/**
 * Gives points the visibility and presence of others, one by one.
 *
 * node {
 *   calculator: "VisibilityCopyCalculator"
 *   input_stream: "NORM_LANDMARKS_FROM:landmarks"
 *   input_stream: "LANDMARKS_TO:world_landmarks"
 *   output_stream: "LANDMARKS_TO:visible_world_landmarks"
 * }
 */
export const visibilityCopy = defineCalculator({
  name: 'VisibilityCopyCalculator',
  options: z.object({
    copyVisibility: z.boolean().default(true).describe('Visibilities are copied.'),
    copyPresence: z.boolean().default(true).describe('Presences are copied.'),
  }),
  inputs: {
    NORM_LANDMARKS_FROM: optional(normalizedLandmarkList),
    LANDMARKS_FROM: optional(landmarkList),
    NORM_LANDMARKS_TO: optional(normalizedLandmarkList),
    LANDMARKS_TO: optional(landmarkList),
  },
  outputs: { NORM_LANDMARKS_TO: optional(normalizedLandmarkList), LANDMARKS_TO: optional(landmarkList) },
  timestampOffset: 0,
  contract({ inputs, outputs, fail }) {
    if (inputs.has('NORM_LANDMARKS_FROM') === inputs.has('LANDMARKS_FROM'))
      fail('NORM_LANDMARKS_FROM or LANDMARKS_FROM expected');
    if (inputs.has('NORM_LANDMARKS_TO') === inputs.has('LANDMARKS_TO'))
      fail('NORM_LANDMARKS_TO or LANDMARKS_TO expected');
    const output = inputs.has('LANDMARKS_TO') ? 'LANDMARKS_TO' : 'NORM_LANDMARKS_TO';
    if (!outputs.has(output)) fail(`output ${output} expected`);
  },
  open({ options: { copyVisibility, copyPresence } }) {
    return {
      process({ inputs, outputs }) {
        const from = (inputs.NORM_LANDMARKS_FROM ?? inputs.LANDMARKS_FROM)?.packet?.value;
        const to = (inputs.NORM_LANDMARKS_TO ?? inputs.LANDMARKS_TO)?.packet?.value;
        if (from === undefined || to === undefined) return;
        if (from.length !== to.length)
          throw new Error(`${from.length} and ${to.length} points given, as many expected`);
        const copied = to.map((point, at): Landmark => {
          const { visibility, presence } = from[at] ?? point;
          return {
            ...point,
            ...(copyVisibility && visibility !== undefined ? { visibility } : {}),
            ...(copyPresence && presence !== undefined ? { presence } : {}),
          };
        });
        (outputs.NORM_LANDMARKS_TO ?? outputs.LANDMARKS_TO)?.send(copied);
      },
    };
  },
});
