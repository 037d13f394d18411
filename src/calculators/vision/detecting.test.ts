/** Detectors and rectangles against values of `test/fixtures/make/vision.py`. */
import { describe, expect, it } from 'vitest';
import { runCalculator } from '../../graph/index.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import type { Detection, Rect } from '../message-types.ts';
import { associationDetection, associationNormRect } from './association.ts';
import { detectionLabelIdToText } from './detection-labels.ts';
import { detectionUniqueId } from './detection-unique-id.ts';
import { detectionLetterboxRemoval, detectionProjection } from './detection-projection.ts';
import { alignmentPointsRects, detectionsToRects, handDetectionsFromPoseToRects } from './detections-to-rects.ts';
import { projectionMatrix } from './geometry.ts';
import { nonMaxSuppression } from './non-max-suppression.ts';
import { rectTransformation } from './rect-transformation.ts';
import { roiTracking } from './roi-tracking.ts';
import { makeAnchors, ssdAnchors, type Anchor } from './ssd-anchors.ts';
import { expectClose, numbersOf, outputOf, rectOf, values } from './test-kit.ts';
import { tensorsToDetections } from './tensors-to-detections.ts';

const numbers = ({ classes, xMin, yMin, width, height, keyPoints = [] }: Detection): number[] => [
  classes[0]?.score ?? NaN,
  ...[xMin, yMin, width, height],
  ...keyPoints.flatMap(({ x, y }) => [x, y]),
];

function detectionOf([score = 0, xMin = 0, yMin = 0, width = 0, height = 0, ...points]: readonly number[]): Detection {
  const keyPoints = points.flatMap((x, at) => (at % 2 === 0 ? [{ x, y: points[at + 1] ?? 0 }] : []));
  return { classes: [{ index: 0, score }], xMin, yMin, width, height, keyPoints };
}

const SMALL_ANCHORS = {
  input_size_width: 32,
  input_size_height: 32,
  strides: [8, 16],
  aspect_ratios: 1,
  fixed_anchor_size: true,
};

async function anchorsOf(options: object): Promise<Anchor[]> {
  const { sidePackets } = await runCalculator(ssdAnchors, { options: options as never, outputSidePackets: [''] });
  return sidePackets[''] as Anchor[];
}

describe('SsdAnchorsCalculator', () => {
  it.each([
    [224, [8, 16, 32, 32, 32], 2254],
    [128, [8, 16, 16, 16], 896],
    [192, [8, 16, 16, 16], 2016],
  ])('of %i pixels, strides %j: %i anchors of size 1', async (size, strides, count) => {
    const made = await anchorsOf({ ...SMALL_ANCHORS, input_size_width: size, input_size_height: size, strides });
    expect(made).toHaveLength(count);
    expect(made[0]).toEqual({ xCenter: 4 / size, yCenter: 4 / size, width: 1, height: 1 });
    expect(made[0]).toEqual(made[1]);
  });

  it('makes shapes of the aspects, three in a reduced lowest layer, and one between layers', () => {
    const shapes = makeAnchors({
      inputSizeWidth: 2, inputSizeHeight: 2, minScale: 0.2, maxScale: 0.8, featureMapWidth: [], featureMapHeight: [],
      anchorOffsetX: 0.5, anchorOffsetY: 0.5, strides: [2, 4], aspectRatios: [1, 4], reduceBoxesInLowestLayer: true,
      interpolatedScaleAspectRatio: 1, fixedAnchorSize: false, fixedAnchors: [],
    }).map(({ width, height }) => [width, height]); // prettier-ignore
    const [low, between] = [0.2, Math.sqrt(0.8 * 1)];
    expectClose(shapes, [
      [0.1, 0.1],
      [low * Math.SQRT2, low / Math.SQRT2],
      [low / Math.SQRT2, low * Math.SQRT2],
      [0.8, 0.8],
      [1.6, 0.4],
      [between, between],
    ]);
  });

  it('refuses what makes no anchors', async () => {
    await expect(anchorsOf({ aspect_ratios: 1 })).rejects.toThrow(/strides/);
    await expect(anchorsOf({ ...SMALL_ANCHORS, num_layers: 3 })).rejects.toThrow(/num_layers: 3 given, 2 expected/);
  });
});

describe('TensorsToDetectionsCalculator and NonMaxSuppressionCalculator', () => {
  const { boxes, logits, found, plain, weighted } = values.detections;
  const SCALES = { x_scale: 32, y_scale: 32, w_scale: 32, h_scale: 32 };
  const OPTIONS = {
    ...SCALES,
    ...{ num_classes: 1, num_boxes: 40, num_coords: 8, keypoint_coord_offset: 4, num_keypoints: 2 },
    ...{ reverse_output_order: true, sigmoid_score: true, score_clipping_thresh: 100, min_score_thresh: 0.5 },
  };

  async function decode(options: object, rows = boxes, scores = logits): Promise<Detection[]> {
    const { num_boxes: count, num_coords: coords, num_classes: classes } = { ...OPTIONS, ...options };
    const tensors = [
      tensorOf('boxes', 'FP32', [1, count, coords], Float32Array.from(rows)),
      tensorOf('scores', 'FP32', [1, count, classes], Float32Array.from(scores)),
    ];
    const made =
      count === 40 ? await anchorsOf(SMALL_ANCHORS) : [{ xCenter: 0.5, yCenter: 0.25, width: 0.5, height: 0.5 }];
    const [result] = await outputOf(tensorsToDetections, 'DETECTIONS', {
      inputs: { TENSORS: [[0, tensors]] },
      sidePackets: { ANCHORS: made },
      options: { ...OPTIONS, ...options } as never,
    });
    return result as Detection[];
  }

  it('decodes boxes, key points and scores; drops poor ones and negative sizes', async () => {
    expectClose((await decode({})).map(numbers), found);
  });

  it('reads y before x, logarithms of sizes, classes that count, and turns upside down', async () => {
    const one = {
      ...SCALES,
      num_boxes: 1,
      num_coords: 4,
      num_keypoints: 0,
      num_classes: 3,
      reverse_output_order: false,
    };
    const options = {
      ...one,
      apply_exponential_on_box_size: true,
      sigmoid_score: false,
      ignore_classes: 2,
      flip_vertically: true,
    };
    const [only] = await decode(options, [8, 16, 0, 32], [0.6, 0.7, 0.9]);
    // y = 8/32 · ½ + ¼, x = 16/32 · ½ + ½; height = e^0 · ½, width = e · ½
    expect(only?.classes).toEqual([{ index: 1, score: expect.closeTo(0.7, 6) as number }]);
    expectClose(
      [only?.xMin, only?.yMin, only?.width, only?.height],
      [0.75 - Math.E / 4, 0.625 - 0.25, Math.E / 2, 0.5],
    );
  });

  it('takes the first results only, and says what shape it wants', async () => {
    expect(await decode({ max_results: 2 })).toHaveLength(2);
    await expect(decode({}, boxes, [1])).rejects.toThrow(/40 values|1 values/);
  });

  const suppress = (options: object, detections: readonly Detection[]) =>
    outputOf(nonMaxSuppression, '', {
      inputs: { '': [[0, detections]] },
      options: { overlap_type: 'INTERSECTION_OVER_UNION', min_suppression_threshold: 0.3, ...options },
    });

  it('keeps the best of those that overlap', async () => {
    const [kept] = await suppress({}, found.map(detectionOf));
    expectClose((kept as Detection[]).map(numbers), plain);
  });

  it('weighs them by their scores', async () => {
    const [kept] = await suppress({ algorithm: 'WEIGHTED' }, found.map(detectionOf));
    expectClose((kept as Detection[]).map(numbers), weighted);
  });

  it('limits number and score, and sends nothing of nothing unless told to', async () => {
    const [kept] = await suppress({ max_num_detections: 2 }, found.map(detectionOf));
    expect(kept).toHaveLength(2);
    const [good] = await suppress({ min_score_threshold: 0.9 }, found.map(detectionOf));
    expect((good as Detection[]).every(({ classes }) => (classes[0]?.score ?? 0) >= 0.9)).toBe(true);
    expect(await suppress({}, [])).toEqual([]);
    expect(await suppress({ return_empty_detections: true }, [])).toEqual([[]]);
  });

  it('measures overlap as told', async () => {
    const pair = [detectionOf([0.9, 0, 0, 1, 1]), detectionOf([0.8, 0.5, 0, 0.5, 1])];
    const count = async (options: object) => ((await suppress(options, pair))[0] as Detection[]).length;
    expect(await count({ min_suppression_threshold: 0.4 })).toBe(1); // ½ of both
    expect(await count({ min_suppression_threshold: 0.6 })).toBe(2);
    expect(await count({ min_suppression_threshold: 0.6, overlap_type: 'MODIFIED_JACCARD' })).toBe(1); // all of the second
    expect(await count({ min_suppression_threshold: 0.4, multiclass_nms: true })).toBe(1);
  });
});

describe('rectangles', () => {
  const { size, points, bounding, alignment, hand, base, transformed, stretched } = values.rects;
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const detection: Detection = {
    ...{ classes: [], xMin: left, yMin: top, width: Math.max(...xs) - left, height: Math.max(...ys) - top },
    keyPoints: points.map(([x, y]) => ({ x, y })),
  };
  const from = { rotation_vector_start_keypoint_index: 0, rotation_vector_end_keypoint_index: 1 };
  const inputs = { DETECTION: [[0, detection]], IMAGE_SIZE: [[0, size]] } as const;

  it.each([
    ['bounding', detectionsToRects, { ...from, rotation_vector_target_angle_degrees: 0 }, bounding],
    ['bounding key points', detectionsToRects, { ...from, rotation_vector_target_angle: 0, conversion_mode: 'USE_KEYPOINTS' }, bounding],
    ['alignment', alignmentPointsRects, { ...from, rotation_vector_target_angle_degrees: 90 }, alignment],
    ['hand', handDetectionsFromPoseToRects, { rotation_vector_target_angle_degrees: 90 }, hand],
  ])('%s', async (_, definition, options, expected) => {
    const [found] = await outputOf(definition, 'NORM_RECT', { inputs, options });
    expectClose(numbersOf(found as Rect), expected);
  }); // prettier-ignore

  it('of several detections; in pixels; of none', async () => {
    const many = { DETECTIONS: [[0, [detection, detection]], [1, []]], IMAGE_SIZE: [[0, size], [1, size]] } as const; // prettier-ignore
    const rects = await outputOf(detectionsToRects, 'NORM_RECTS', { inputs: many });
    expect(rects.map((each) => (each as Rect[]).length)).toEqual([2]);
    const [pixels] = await outputOf(detectionsToRects, 'RECT', { inputs });
    expect(pixels).toMatchObject({ xCenter: Math.round((bounding[0] ?? 0) * size[0]), rotation: 0 });
    const zero = await outputOf(detectionsToRects, 'NORM_RECT', {
      inputs: many,
      options: { output_zero_rect_for_empty_detections: true },
    });
    expect(zero[1]).toMatchObject({ width: 0, height: 0 });
  });

  it('are shifted along their turn, made square and scaled', async () => {
    const transform = async (options: object) => {
      const given = { NORM_RECT: [[0, rectOf(base)]], IMAGE_SIZE: [[0, size]] } as const;
      const [found] = await outputOf(rectTransformation, '', { inputs: given, options: options as never });
      return numbersOf(found as Rect);
    };
    expectClose(
      await transform({ scale_x: 1.5, scale_y: 1.5, shift_x: 0.1, shift_y: -0.2, square_long: true }),
      transformed,
    );
    expectClose(await transform({ scale_x: 2, scale_y: 2, shift_y: 0.5 }), stretched);
    const [, , , , turned] = await transform({ rotation_degrees: 180 });
    expect(turned).toBeCloseTo(0.6 - Math.PI, 9);
  });

  it('cannot be both square ways, nor normalized without the size', async () => {
    const bad = (options: object, sizes: object = {}) =>
      outputOf(rectTransformation, '', { inputs: { NORM_RECT: [], ...sizes }, options: options as never });
    await expect(bad({ square_long: true, square_short: true }, { IMAGE_SIZE: [] })).rejects.toThrow(
      /exclude each other/,
    );
    await expect(bad({})).rejects.toThrow(/IMAGE_SIZE expected/);
  });
});

describe('the way back to the image', () => {
  const one = detectionOf([0.9, 0.25, 0.25, 0.5, 0.5, 0, 0, 1, 0.5]);

  it('through the matrix of a turned region', async () => {
    // A quarter turn: the region's right is the image's down.
    const region = { x: 50, y: 100, width: 40, height: 20, rotation: Math.PI / 2 };
    const [found] = await outputOf(detectionProjection, 'DETECTIONS', {
      inputs: { DETECTIONS: [[0, [one]]], PROJECTION_MATRIX: [[0, projectionMatrix(region, [100, 200])]] },
    });
    expectClose(numbers((found as Detection[])[0]!), [0.9, 0.45, 0.45, 0.1, 0.1, 0.6, 0.4, 0.5, 0.6]);
  });

  it('out of a letterbox', async () => {
    const [found] = await outputOf(detectionLetterboxRemoval, 'DETECTIONS', {
      inputs: { DETECTIONS: [[0, [one]]], LETTERBOX_PADDING: [[0, [0, 0.25, 0, 0.25]]] },
    });
    expectClose(numbers((found as Detection[])[0]!), [0.9, 0.25, 0, 0.5, 1, 0, -0.5, 1, 0.5]);
  });
});

describe('RoiTrackingCalculator', () => {
  const fresh: Rect = { xCenter: 0.5, yCenter: 0.5, width: 0.4, height: 0.4, rotation: 0 };
  const inside = [{ x: 0.5, y: 0.5, z: 0 }, { x: 0.6, y: 0.4, z: 0 }]; // prettier-ignore
  const OPTIONS = {
    rect_requirements: { rotation_degrees: 40, translation: 0.2, scale: 0.4 },
    landmarks_requirements: { recrop_rect_margin: -0.1 },
  };

  async function choose(previous: Partial<Rect>, points = inside): Promise<string> {
    const previousRect = { ...fresh, xCenter: 0.501, ...previous };
    const [chosen] = await outputOf(roiTracking, 'TRACKING_RECT', {
      inputs: {
        PREV_LANDMARKS: [[0, points]],
        PREV_LANDMARKS_RECT: [[0, previousRect]],
        RECROP_RECT: [[0, fresh]],
        IMAGE_SIZE: [[0, [640, 480]]],
      },
      options: OPTIONS,
    });
    return chosen === previousRect ? 'previous' : 'fresh';
  }

  const degrees = (angle: number) => (angle * Math.PI) / 180;

  it.each<[string, Partial<Rect>, string]>([
    ['alike', {}, 'previous'],
    ['turned by less than the limit', { rotation: degrees(39) }, 'previous'],
    ['turned by more', { rotation: degrees(41) }, 'fresh'],
    ['turned by 350°, which is 10°', { rotation: degrees(350) }, 'previous'],
    ['moved by less', { xCenter: 0.579 }, 'previous'],
    ['moved by more', { xCenter: 0.581 }, 'fresh'],
    ['moved down by more', { yCenter: 0.419 }, 'fresh'],
    ['larger by less', { width: 0.559 }, 'previous'],
    ['larger by more', { width: 0.561 }, 'fresh'],
    ['lower by more', { height: 0.239 }, 'fresh'],
    ['without extent', { width: 0 }, 'fresh'],
  ])('%s', async (_, previous, expected) => {
    expect(await choose(previous)).toBe(expected);
  });

  it('looks whether the points lie in the shrunk fresh rectangle', async () => {
    expect(await choose({}, [{ x: 0.679, y: 0.5, z: 0 }])).toBe('previous');
    expect(await choose({}, [{ x: 0.681, y: 0.5, z: 0 }])).toBe('fresh');
  });

  it('gives nothing without a fresh one', async () => {
    const [chosen] = await outputOf(roiTracking, 'TRACKING_RECT', {
      inputs: {
        PREV_LANDMARKS: [[0, inside]],
        PREV_LANDMARKS_RECT: [[0, fresh]],
        RECROP_RECT: [],
        IMAGE_SIZE: [[0, [640, 480]]],
      },
      options: OPTIONS,
    });
    expect(chosen).toBeUndefined();
  });
});

describe('association', () => {
  const box = (x: number): Rect => ({ xCenter: x, yCenter: 0.5, width: 0.2, height: 0.2 });

  it('keeps the later of two that are the same', async () => {
    const [kept] = await outputOf(associationNormRect, '', {
      inputs: { ':0': [[0, [box(0.3), box(0.7)]]], ':1': [[0, [box(0.31)]]] },
      options: { min_similarity_threshold: 0.5 },
    });
    expect((kept as Rect[]).map(({ xCenter }) => xCenter)).toEqual([0.7, 0.31]);
  });

  it('hands ids on: of what is replaced, and of what was there before', async () => {
    const box = (xMin: number, id?: number) => ({
      ...detectionOf([1, xMin, 0, 0.2, 0.2]),
      ...(id === undefined ? {} : { id }),
    });
    const idsOf = async (inputs: Record<string, readonly Detection[]>) => {
      const [found] = await outputOf(associationDetection, '', {
        inputs: Object.fromEntries(Object.entries(inputs).map(([port, list]) => [port, [[0, list]] as const])),
        options: { min_similarity_threshold: 0.5 },
      });
      return (found as Detection[]).map(({ xMin, id }) => [xMin, id]);
    };
    expect(await idsOf({ ':0': [box(0, 7), box(0.5)], ':1': [box(0.01)] })).toEqual([[0.5, undefined], [0.01, 7]]); // prettier-ignore
    // Not those that are the same as nothing now, nor those without one.
    const before = [box(0, 3), box(0.02, 4), box(0.01), box(0.8, 5)];
    expect(await idsOf({ '': [box(0), box(0.5, 9)], PREV: before })).toEqual([[0, 4], [0.5, 9]]); // prettier-ignore
    expect(await idsOf({ FRESH: [box(0)], TRACKED: [], PREV: [] })).toEqual([[0, undefined]]);
    await expect(idsOf({ PREV: before })).rejects.toThrow(/an input expected beside PREV/);
  });

  it('follows things that were numbered, and their rectangles', async () => {
    const things = [detectionOf([1, 0, 0, 0.2, 0.2]), { ...detectionOf([1, 0.5, 0, 0.2, 0.2]), id: 40 }];
    const frames = [[0, things], [1, things.slice(0, 1)]] as const; // prettier-ignore
    const numbered = (await outputOf(detectionUniqueId, 'DETECTIONS', {
      inputs: { DETECTIONS: frames },
    })) as Detection[][];
    expect(numbered.map((list) => list.map(({ id }) => id))).toEqual([[1, 40], [2]]);
    const list = await outputOf(detectionUniqueId, 'DETECTION_LIST', { inputs: { DETECTION_LIST: frames } });
    expect(list).toEqual(numbered);
    const rects = (
      await outputOf(detectionsToRects, 'NORM_RECTS', { inputs: { DETECTIONS: [[0, numbered[0]]] } })
    )[0] as Rect[];
    expect(rects.map(({ id }) => id)).toEqual([1, 40]);
    const sizes = { NORM_RECTS: [[0, rects]], IMAGE_SIZE: [[0, [10, 10]]] } as const;
    const [larger] = await outputOf(rectTransformation, '', { inputs: sizes, options: { scale_x: 2 } });
    expect((larger as Rect[]).map(({ id }) => id)).toEqual([1, 40]);
    const [tracked] = await outputOf(associationNormRect, '', {
      inputs: { '': [[0, [box(0.1)]]], PREV: [[0, [{ ...box(0.1), id: 6 }]]] },
      options: { min_similarity_threshold: 0.5 },
    });
    expect((tracked as Rect[])[0]?.id).toBe(6);
  });

  it('of detections, with an input that has nothing', async () => {
    const [kept] = await outputOf(associationDetection, '', {
      inputs: { ':0': [[0, [detectionOf([0.9, 0, 0, 0.2, 0.2])]]], ':1': [] },
      options: { min_similarity_threshold: 0.5 },
    });
    expect(kept).toHaveLength(1);
  });
});

it('DetectionLabelIdToTextCalculator names classes', async () => {
  const one: Detection = { ...detectionOf([0.9]), classes: [{ index: 1, score: 0.9 }, { index: 5, score: 0.1 }] }; // prettier-ignore
  const name = async (options: object) => {
    const [found] = await outputOf(detectionLabelIdToText, '', {
      inputs: { '': [[0, [one]]] },
      options: options as never,
    });
    return (found as Detection[])[0]?.classes.map(({ index, label, displayName }) => [index, label, displayName]);
  };
  expect(await name({ label: ['a', 'b'] })).toEqual([[1, 'b', undefined], [5, undefined, undefined]]); // prettier-ignore
  const items = [{ key: 5, value: { name: 'dog', display_name: 'Dog' } }];
  expect(await name({ label_items: items })).toEqual([[1, undefined, undefined], [5, 'dog', 'Dog']]); // prettier-ignore
  await expect(name({ label: 'a', label_items: items })).rejects.toThrow(/exclude each other/);
});
