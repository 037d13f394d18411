/** Points against values of `test/fixtures/make/vision.py`. */
import { describe, expect, it } from 'vitest';
import type { CalculatorDefinition } from '../../graph/index.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import type { Detection, Landmark, Rect } from '../message-types.ts';
import { floatsToTensor } from './floats-to-tensor.ts';
import { landmarkLetterboxRemoval, landmarkProjection, worldLandmarkProjection } from './landmark-projection.ts';
import { landmarkVisibility } from './landmark-visibility.ts';
import { landmarksSmoothing, visibilityCopy, visibilitySmoothing } from './landmarks-smoothing.ts';
import { handLandmarksToRect, landmarksToDetection } from './landmarks-to-detection.ts';
import { landmarksToTensor } from './landmarks-to-tensor.ts';
import { projectionMatrix, regionOf } from './geometry.ts';
import { landmarksRefinement, refineLandmarksFromHeatmap } from './refine-landmarks.ts';
import { expectClose, numbersOf, outputOf, pointsOf, rectOf, rowsOf, values } from './test-kit.ts';
import { tensorsToFloats, tensorsToLandmarks } from './tensors-to-landmarks.ts';

const tensor = (...numbers: number[]): Tensor[] => [
  tensorOf('t', 'FP32', [1, numbers.length], Float32Array.from(numbers)),
];

describe('TensorsToLandmarksCalculator', () => {
  const read = async (port: string, numbers: number[], options: object) => {
    const [points] = await outputOf(tensorsToLandmarks, port, {
      inputs: { TENSORS: [[0, tensor(...numbers)]] },
      options: options as never,
    });
    return points as Landmark[];
  };

  it('reads as many numbers of a point as there are', async () => {
    expect(await read('LANDMARKS', [1, 2, 3, 4], { num_landmarks: 2 })).toEqual([{ x: 1, y: 2, z: 0 }, { x: 3, y: 4, z: 0 }]); // prettier-ignore
    expect(await read('LANDMARKS', [1, 2, 3, 0.5], { num_landmarks: 1 })).toEqual([
      { x: 1, y: 2, z: 3, visibility: 0.5 },
    ]);
    const logits = { num_landmarks: 1, visibility_activation: 'SIGMOID', presence_activation: 'NONE' };
    expect(await read('LANDMARKS', [1, 2, 3, 0, 0.25], logits)).toEqual([{ x: 1, y: 2, z: 3, visibility: 0.5, presence: 0.25 }]); // prettier-ignore
  });

  it('normalizes by the size of the input, z by the width', async () => {
    const options = { num_landmarks: 1, input_image_width: 200, input_image_height: 100, normalize_z: 0.4 };
    expect(await read('NORM_LANDMARKS', [50, 50, 20], options)).toEqual([{ x: 0.25, y: 0.5, z: 0.25 }]);
    const flipped = { ...options, flip_horizontally: true, flip_vertically: true };
    expect(await read('NORM_LANDMARKS', [50, 20, 20], flipped)).toEqual([{ x: 0.75, y: 0.8, z: 0.25 }]);
  });

  it('says what it needs', async () => {
    await expect(read('NORM_LANDMARKS', [1, 2], { num_landmarks: 1 })).rejects.toThrow(/input_image_width/);
    await expect(read('LANDMARKS', [1, 2], { num_landmarks: 2 })).rejects.toThrow(/4 numbers expected/);
  });
});

it('TensorsToFloatsCalculator reads scores', async () => {
  const inputs = { TENSORS: [[0, tensor(0, 1)]] } as const;
  expect(await outputOf(tensorsToFloats, 'FLOAT', { inputs, options: { activation: 'SIGMOID' } })).toEqual([0.5]);
  expect(await outputOf(tensorsToFloats, 'FLOATS', { inputs })).toEqual([[0, 1]]);
});

it('FloatsToTensorCalculator makes them a tensor again', async () => {
  const [found] = await outputOf(floatsToTensor, 'TENSOR', { inputs: { FLOATS: [[0, [0.5, 2, -1]]] } });
  expect(found).toMatchObject({ datatype: 'FP32', shape: [3] });
  expect([...typedData(found as Tensor)]).toEqual([0.5, 2, -1]);
});

describe('the way back to the image', () => {
  const { points, padding, rect, unpadded, projected, world } = values.landmarks;

  it('out of a letterbox, by a region, and by its matrix', async () => {
    const [without] = await outputOf(landmarkLetterboxRemoval, 'LANDMARKS', {
      inputs: { LANDMARKS: [[0, pointsOf(points)]], LETTERBOX_PADDING: [[0, padding]] },
    });
    expectClose(rowsOf(without), unpadded);
    const NORM_LANDMARKS = [[0, without]] as const;
    const [byRect] = await outputOf(landmarkProjection, 'NORM_LANDMARKS', {
      inputs: { NORM_LANDMARKS, NORM_RECT: [[0, rectOf(rect)]] },
    });
    expectClose(rowsOf(byRect), projected);
    // The matrix knows the aspect of the image; of a square one it says the same.
    const matrix = projectionMatrix(regionOf({ ...rectOf(rect), height: rect[2] ?? 0 }, [300, 300]), [300, 300]);
    const [byMatrix] = await outputOf(landmarkProjection, 'NORM_LANDMARKS', {
      inputs: { NORM_LANDMARKS, PROJECTION_MATRIX: [[0, matrix]] },
    });
    const [bySquare] = await outputOf(landmarkProjection, 'NORM_LANDMARKS', {
      inputs: { NORM_LANDMARKS, NORM_RECT: [[0, { ...rectOf(rect), height: rect[2] ?? 0 }]] },
    });
    expectClose(rowsOf(byMatrix), rowsOf(bySquare));
  });

  it('several lists at once; upright if told so', async () => {
    const inputs = { 'NORM_LANDMARKS:0': [[0, pointsOf(points)]], 'NORM_LANDMARKS:1': [], NORM_RECT: [[0, rectOf([0.5, 0.5, 1, 1, 1])]] } as const; // prettier-ignore
    await expect(outputOf(landmarkProjection, 'NORM_LANDMARKS:0', { inputs })).rejects.toThrow(/as many outputs/);
    const [same] = await outputOf(landmarkProjection, 'NORM_LANDMARKS', {
      inputs: { NORM_LANDMARKS: [[0, pointsOf(points)]], NORM_RECT: [[0, rectOf([0.5, 0.5, 1, 1, 1])]] },
      options: { ignore_rotation: true },
    });
    expectClose(rowsOf(same), points);
  });

  it('of points in metres', async () => {
    const [turned] = await outputOf(worldLandmarkProjection, 'LANDMARKS', {
      inputs: { LANDMARKS: [[0, pointsOf(points)]], NORM_RECT: [[0, rectOf(rect)]] },
    });
    expectClose(rowsOf(turned), world);
  });
});

it('RefineLandmarksFromHeatmapCalculator moves points to what the map shows', async () => {
  const { points, map, refined } = values.heatmap;
  const [found] = await outputOf(refineLandmarksFromHeatmap, 'NORM_LANDMARKS', {
    inputs: {
      NORM_LANDMARKS: [[0, pointsOf(points)]],
      TENSORS: [[0, [tensorOf('heatmap', 'FP32', [1, 12, 16, 4], Float32Array.from(map))]]],
    },
    options: { kernel_size: 5 },
  });
  expectClose(
    (found as Landmark[]).map(({ x, y }) => [x, y]),
    refined,
  );
});

it('LandmarksRefinementCalculator writes parts over the whole', async () => {
  const mesh = pointsOf([[0, 0, 1], [1, 1, 2], [2, 2, 4]]); // prettier-ignore
  const iris = pointsOf([[7, 7, 9]]);
  const run = (indexes: number[]) =>
    outputOf(landmarksRefinement, 'REFINED_LANDMARKS', {
      inputs: { 'LANDMARKS:0': [[0, mesh]], 'LANDMARKS:1': [[0, pointsOf([[5, 5, 5]])]], 'LANDMARKS:2': [[0, iris]] },
      options: {
        refinement: [
          { indexes_mapping: [0, 1, 2], z_refinement: { copy: {} } },
          { indexes_mapping: indexes, z_refinement: { none: {} } },
          { indexes_mapping: [3], z_refinement: { assign_average: { indexes_for_average: [1, 2] } } },
        ],
      },
    });
  const [found] = await run([1]);
  expect(rowsOf(found)).toEqual([[0, 0, 1], [5, 5, 2], [2, 2, 4], [7, 7, 3]]); // prettier-ignore
  await expect(run([1, 2])).rejects.toThrow(/LANDMARKS:1: 1 points given, 2 expected/);
});

describe('LandmarksSmoothingCalculator', () => {
  const { size, side, times, values: given, oneEuro, velocity } = values.smoothing;
  const roi: Rect = { xCenter: 0, yCenter: 0, width: side / size[0], height: side / size[1] };
  const at = (value: unknown) => times.map((time) => [time, value] as const);

  const smooth = (options: object, timestamps = times) =>
    outputOf(landmarksSmoothing, 'NORM_FILTERED_LANDMARKS', {
      inputs: {
        NORM_LANDMARKS: given.map((row, i) => [timestamps[i] ?? 0, pointsOf([row])]),
        IMAGE_SIZE: timestamps.map((time) => [time, size]),
        OBJECT_SCALE_ROI: timestamps.map((time) => [time, roi]),
      },
      options: options as never,
    });

  // The series has one time twice, which a stream cannot; the filters themselves are asked for it in filters.test.ts.
  const distinct = times.map((time, i) => (i > 0 && time === times[i - 1] ? -1 : i)).filter((i) => i >= 0);

  it('needs exactly one filter, and the size of the image', async () => {
    await expect(smooth({})).rejects.toThrow(/one of no_filter, velocity_filter and one_euro_filter/);
    const bare = { inputs: { NORM_LANDMARKS: at([]) }, options: { no_filter: {} } };
    await expect(outputOf(landmarksSmoothing, 'NORM_FILTERED_LANDMARKS', bare)).rejects.toThrow(/IMAGE_SIZE/);
    expect(landmarksSmoothing.measuresTime).toBe(true);
  });

  it.each([
    ['one_euro_filter', { min_cutoff: 0.05, beta: 80, derivate_cutoff: 1 }, oneEuro],
    ['velocity_filter', { window_size: 5, velocity_scale: 10 }, velocity],
  ])('%s', async (name, filter, expected) => {
    const found = await outputOf(landmarksSmoothing, 'NORM_FILTERED_LANDMARKS', {
      inputs: {
        NORM_LANDMARKS: distinct.map((i) => [times[i] ?? 0, pointsOf([given[i] ?? []])]),
        IMAGE_SIZE: distinct.map((i) => [times[i] ?? 0, size]),
        OBJECT_SCALE_ROI: distinct.map((i) => [times[i] ?? 0, roi]),
      },
      options: { [name]: filter },
    });
    expectClose(
      found.flatMap(rowsOf),
      distinct.map((i) => expected[i] ?? []),
    );
  });

  it('starts anew after a time without points, and leaves tiny objects alone', async () => {
    const run = (points: readonly (readonly [number, Landmark[]])[]) =>
      outputOf(landmarksSmoothing, 'NORM_FILTERED_LANDMARKS', {
        inputs: { NORM_LANDMARKS: points, IMAGE_SIZE: [0, 10, 20, 30].map((time) => [time, size]) },
        options: { one_euro_filter: { min_cutoff: 0.001, min_allowed_object_scale: 1 } },
      });
    const big = (x: number) => pointsOf([[x, 0, 0], [x + 0.5, 0.5, 0]]); // prettier-ignore
    const xs = (found: unknown[]) => found.map((points) => (points as Landmark[])[0]?.x);
    const [first, second] = xs(await run([[0, big(0)], [10, big(0.4)]])); // prettier-ignore
    expect([first, (second ?? 1) < 0.1]).toEqual([0, true]);
    expect(xs(await run([[0, big(0)], [20, big(0.4)]]))).toEqual([0, 0.4]); // prettier-ignore
    const small = (x: number) => pointsOf([[x, 0, 0], [x + 1e-4, 0, 0]]); // prettier-ignore
    expect(xs(await run([[0, small(0)], [10, small(0.4)]]))).toEqual([0, 0.4]); // prettier-ignore
  });

  it('of metres as they are', async () => {
    const [first, second] = await outputOf(landmarksSmoothing, 'FILTERED_LANDMARKS', {
      inputs: { LANDMARKS: [[0, pointsOf([[1, 1, 1]])], [33_333, pointsOf([[2, 2, 2]])]] },
      options: { one_euro_filter: { min_cutoff: 0.1, beta: 40, disable_value_scaling: true } },
    }); // prettier-ignore
    expect(rowsOf(first)).toEqual([[1, 1, 1]]);
    const [[x = 0] = []] = rowsOf(second);
    expect(x).toBeGreaterThan(1.9);
    expect(x).toBeLessThan(2);
  });
});

describe('visibility', () => {
  const seen = (visibility: number): Landmark[] => [{ x: 0, y: 0, z: 0, visibility, presence: visibility / 2 }];

  it('is smoothed with inertia', async () => {
    const run = (options: object) =>
      outputOf(visibilitySmoothing, 'NORM_FILTERED_LANDMARKS', {
        inputs: { NORM_LANDMARKS: [[0, seen(1)], [5, seen(0)], [9, seen(0)]] },
        options: options as never,
      }); // prettier-ignore
    const visibilities = (found: unknown[]) => found.map((points) => (points as Landmark[])[0]?.visibility);
    expectClose(visibilities(await run({ low_pass_filter: { alpha: 0.1 } })), [1, 0.9, 0.81]);
    expectClose(visibilities(await run({ no_filter: {} })), [1, 0, 0]);
  });

  it('is copied, as is presence, where told', async () => {
    const run = (options: object, to = pointsOf([[1, 2, 3]])) =>
      outputOf(visibilityCopy, 'LANDMARKS_TO', {
        inputs: { NORM_LANDMARKS_FROM: [[0, seen(0.8)]], LANDMARKS_TO: [[0, to]] },
        options: options as never,
      });
    expect(await run({})).toEqual([[{ x: 1, y: 2, z: 3, visibility: 0.8, presence: 0.4 }]]);
    expect(await run({ copy_presence: false })).toEqual([[{ x: 1, y: 2, z: 3, visibility: 0.8 }]]);
    await expect(run({}, [])).rejects.toThrow(/1 and 0 points given/);
  });

  it('of one point', async () => {
    const run = (points: Landmark[]) =>
      outputOf(landmarkVisibility, 'VISIBILITY', { inputs: { NORM_LANDMARKS: [[0, points]] } });
    expect(await run(seen(0.3))).toEqual([0.3]);
    expect(await run(pointsOf([[0, 0, 0]]))).toEqual([0]);
    await expect(run([])).rejects.toThrow(/0 points given, a single one expected/);
  });
});

describe('what points make', () => {
  const single = (definition: CalculatorDefinition, port: string, points: Landmark[], options: object = {}) =>
    outputOf(definition, port, { inputs: { NORM_LANDMARKS: [[0, points]] }, options: options as never });

  it('a detection', async () => {
    const points = pointsOf([[0.1, 0.9, 0], [0.5, 0.2, 0], [0.3, 0.3, 0]]); // prettier-ignore
    const [all] = await single(landmarksToDetection, 'DETECTION', points);
    const { xMin, yMin, width, height, keyPoints } = all as Detection;
    expectClose([xMin, yMin, width, height], [0.1, 0.2, 0.4, 0.7]);
    expect(keyPoints).toHaveLength(3);
    const [some] = await single(landmarksToDetection, 'DETECTION', points, { selected_landmark_indices: [2, 0] });
    expect((some as Detection).keyPoints).toEqual([{ x: 0.3, y: 0.3 }, { x: 0.1, y: 0.9 }]); // prettier-ignore
    await expect(single(landmarksToDetection, 'DETECTION', points, { selected_landmark_indices: 3 })).rejects.toThrow(/point 3 asked for, there are 3/); // prettier-ignore
  });

  it('the rectangle of a hand', async () => {
    const { size, points, rect } = values.handRect;
    const [found] = await outputOf(handLandmarksToRect, 'NORM_RECT', {
      inputs: { NORM_LANDMARKS: [[0, pointsOf(points)]], IMAGE_SIZE: [[0, size]] },
    });
    expectClose(numbersOf(found as Rect), rect);
  });

  it('tensors', async () => {
    const points: Landmark[] = [{ x: 1, y: 2, z: 3, visibility: 4 }, { x: 5, y: 6, z: 7 }]; // prettier-ignore
    const attributes = ['X', 'Y', 'VISIBILITY'];
    const [one] = (await single(landmarksToTensor, 'TENSOR', points, { attributes })) as Tensor[];
    expect(one?.shape).toEqual([2, 3]);
    expect([...typedData(one!)]).toEqual([1, 2, 4, 5, 6, 0]);
    const [many] = (await single(landmarksToTensor, 'TENSORS', points, { attributes })) as Tensor[][];
    expect(many?.[0]?.shape).toEqual([1, 2, 3]);
    const [flat] = (await single(landmarksToTensor, 'TENSORS', points, { attributes, flatten: true })) as Tensor[][];
    expect(flat?.[0]?.shape).toEqual([1, 6]);
  });
});
