import { describe, expect, it } from 'vitest';
import type { PacketList } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { tensorOf, type Tensor } from '../../tensor/tensor.ts';
import { normalizedRectVectorHasMinSize } from './collection-size.ts';
import { inverseMatrix } from './inverse-matrix.ts';
import { landmarksToTensor } from './landmarks-to-tensor.ts';
import { recolor, tensorsToSegmentation } from './segmentation.ts';
import { segmentationSmoothing } from './segmentation-smoothing.ts';
import { expectClose, outputOf, pointsOf, rectOf } from './test-kit.ts';
import { warpAffine } from './warp-affine.ts';

describe('TensorsToSegmentationCalculator', () => {
  const maskOf = async (shape: number[], numbers: number[], options: object = {}, size?: [number, number]) => {
    const tensors = [tensorOf('mask', 'FP32', shape, Float32Array.from(numbers))];
    const inputs: Record<string, PacketList> = { TENSORS: [[0, tensors]] };
    if (size !== undefined) inputs['OUTPUT_SIZE'] = [[0, size]];
    const [mask] = await outputOf(tensorsToSegmentation, 'MASK', { inputs, options: options as never });
    return mask as Image;
  };

  it('of probabilities, logits and layers', async () => {
    expect(await maskOf([1, 1, 2, 1], [0.25, 1])).toMatchObject({ width: 2, height: 1, format: 'VEC32F1' });
    expectClose([...(await maskOf([1, 1, 2, 1], [0, Math.log(3)], { activation: 'SIGMOID' })).data].map((v) => Math.round(v * 1e6) / 1e6), [0.5, 0.75]); // prettier-ignore
    const soft = await maskOf([1, 1, 1, 2], [0, Math.log(3)], { activation: 'SOFTMAX' });
    expect(soft.data[0]).toBeCloseTo(0.75, 6);
  });

  it('is scaled to the size asked for', async () => {
    const mask = await maskOf([1, 1, 2, 1], [0, 1], {}, [4, 2]);
    expect([...mask.data]).toEqual([0, 0.25, 0.75, 1, 0, 0.25, 0.75, 1]);
  });

  it('says what shape it wants', async () => {
    await expect(maskOf([2, 2], [1, 2, 3, 4])).rejects.toThrow(
      /shape \[2,2\] given, \[1,height,width,layers\] expected/,
    );
    await expect(maskOf([1, 1, 1, 1], [1], { activation: 'SOFTMAX' })).rejects.toThrow(/at least 2 layers/);
  });
});

describe('WarpAffineCalculator', () => {
  // Of a region of 4 × 4 pixels at (2, 1) of an image of 8 × 8: from the image to the region.
  const toRegion = [2, 0, 0, -0.5, 0, 2, 0, -0.25, 0, 0, 2, 0, 0, 0, 0, 1];
  const image: Image = {
    width: 4,
    height: 4,
    channels: 1,
    format: 'VEC32F1',
    data: Float32Array.from({ length: 16 }, (_, at) => at + 1),
  };
  const warped = async (given: Image, matrix: number[], size: [number, number], options: object = {}) => {
    const inputs = { IMAGE: [[0, given]], MATRIX: [[0, matrix]], OUTPUT_SIZE: [[0, size]] } as const;
    const [result] = await outputOf(warpAffine, 'IMAGE', { inputs, options: options as never });
    return result as Image;
  };

  it('puts a region back where it was, with zeros or its edge around', async () => {
    const result = await warped(image, toRegion, [8, 8]);
    expect(result).toMatchObject({ width: 8, height: 8, channels: 1, format: 'VEC32F1' });
    expect([...result.data.slice(0, 24)]).toEqual([
      ...[0, 0, 0, 0, 0, 0, 0, 0],
      ...[0, 0, 1, 2, 3, 4, 0, 0],
      ...[0, 0, 5, 6, 7, 8, 0, 0],
    ]);
    const edges = await warped(image, toRegion, [8, 8], { border_mode: 'BORDER_REPLICATE' });
    expect([...edges.data.slice(0, 8)]).toEqual([1, 1, 1, 2, 3, 4, 4, 4]);
  });

  it('is linear between pixels, to the nearest 1/32, and fades at the edge', async () => {
    const half = await warped(image, [1, 0, 0, 0.125, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [4, 4]);
    expect([...half.data.slice(0, 4)]).toEqual([1.5, 2.5, 3.5, 2]);
    const little = await warped(image, [1, 0, 0, 0.26 / 32 / 4, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [4, 4]);
    expect([...little.data]).toEqual([...image.data]);
  });

  it('rounds bytes', async () => {
    const grey: Image = { width: 2, height: 1, channels: 1, format: 'GRAY8', data: Uint8Array.of(10, 13) };
    const half = await warped(grey, [1, 0, 0, 0.25, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [2, 1]);
    expect([...half.data]).toEqual([12, 7]);
  });
});

describe('InverseMatrixCalculator', () => {
  const inverse = async (matrix: number[]) =>
    (await outputOf(inverseMatrix, 'MATRIX', { inputs: { MATRIX: [[0, matrix]] } }))[0] as number[];

  it('leads back', async () => {
    const [cos, sin] = [Math.cos(0.4), Math.sin(0.4)];
    const there = [0.5 * cos, -0.4 * sin, 0, 0.3, 0.6 * sin, 0.7 * cos, 0, -0.2, 0, 0, 0.5, 0, 0, 0, 0, 1];
    const back = await inverse(there);
    const product = [0, 1, 2, 3].flatMap((row) =>
      [0, 1, 2, 3].map((column) =>
        [0, 1, 2, 3].reduce((sum, at) => sum + there[4 * row + at]! * back[4 * at + column]!, 0),
      ),
    );
    expectClose(product, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
  });

  it('says what has none', async () => {
    await expect(inverse(Array.from({ length: 16 }, () => 0))).rejects.toThrow(/determinant of 0 given/);
    await expect(inverse([1, 0])).rejects.toThrow(/MATRIX: 2 numbers/);
  });
});

describe('SegmentationSmoothingCalculator', () => {
  const maskOf = (...values: number[]): Image => ({
    width: values.length,
    height: 1,
    channels: 1,
    format: 'VEC32F1',
    data: Float32Array.from(values),
  });
  const smoothed = async (mask: Image, previous?: Image) => {
    const inputs: Record<string, PacketList> = {
      MASK: [[0, mask]],
      MASK_PREVIOUS: previous === undefined ? [] : [[0, previous]],
    };
    const options = { combine_with_previous_ratio: 0.7 } as never;
    return (await outputOf(segmentationSmoothing, 'MASK_SMOOTHED', { inputs, options }))[0] as Image;
  };

  it('keeps most of the mask before where the new one is unsure, and nothing where it is sure', async () => {
    const { data } = await smoothed(maskOf(0.5, 1, 0, 0.7), maskOf(1, 0, 1, 0));
    // Of 0.7: x = 0.04, u = 1 − 0.04 · (5.68842 + 0.04 · (−0.748699 + 0.04 · (−57.8051 + 0.04 · (291.309 − 0.04 · 624.717)))) = 0.7767.
    expectClose(
      [...data].map((value) => Math.round(value * 1000) / 1000),
      [0.85, 1, 0, 0.319],
    );
  });

  it('passes the first mask on, and says what masks cannot be mixed', async () => {
    const mask = maskOf(0.25);
    expect(await smoothed(mask)).toBe(mask);
    await expect(smoothed(mask, maskOf(0, 1))).rejects.toThrow(/MASK_PREVIOUS: 2 × 1 pixels given, 1 × 1/);
    await expect(smoothed({ ...mask, format: 'GRAY8', data: Uint8Array.of(1) })).resolves.toBeDefined();
    await expect(smoothed(mask, { ...mask, format: 'GRAY8', data: Uint8Array.of(1) })).rejects.toThrow(
      /MASK_PREVIOUS: GRAY8 given, VEC32F1 expected/,
    );
  });
});

describe('RecolorCalculator', () => {
  const image: Image = {
    width: 2,
    height: 1,
    channels: 3,
    format: 'SRGB',
    data: Uint8Array.of(200, 100, 0, 200, 100, 0),
  };
  const mask: Image = { width: 2, height: 1, channels: 1, format: 'VEC32F1', data: Float32Array.of(1, 0.5) };
  const paint = async (options: object, given: Image = mask) => {
    const inputs = { IMAGE: [[0, image]], MASK: [[0, given]] } as const;
    const [painted] = await outputOf(recolor, 'IMAGE', { inputs, options: { color: { b: 100 }, ...options } as never });
    return [...(painted as Image).data];
  };

  it('mixes the colour in where the mask is high, or low', async () => {
    expect(await paint({ adjust_with_luminance: false })).toEqual([0, 0, 100, 100, 50, 50]);
    expect(await paint({ adjust_with_luminance: false, invert_mask: true })).toEqual([200, 100, 0, 100, 50, 50]);
    const brightness = (0.299 * 200 + 0.587 * 100) / 255;
    expect((await paint({}))[0]).toBe(Math.round(200 * (1 - brightness)));
  });

  it('refuses a mask of bytes, and passes an image without one', async () => {
    await expect(paint({}, image)).rejects.toThrow(/MASK: SRGB given, floats expected/);
    expect(await outputOf(recolor, 'IMAGE', { inputs: { IMAGE: [[0, image]], MASK: [] } })).toEqual([image]);
  });
});

it('NormalizedRectVectorHasMinSizeCalculator counts', async () => {
  const run = (rects: number, sidePackets = {}) =>
    outputOf(normalizedRectVectorHasMinSize, '', {
      inputs: { ITERABLE: [[0, Array.from({ length: rects }, () => rectOf([]))]] },
      options: { min_size: 2 },
      sidePackets,
    });
  expect([await run(1), await run(2), await run(2, { MIN_SIZE: 3 })]).toEqual([[false], [true], [false]]);
});

it('LandmarksToTensorCalculator joins lists of points', async () => {
  const lists = [pointsOf([[1, 2, 0], [3, 4, 0]]), pointsOf([[5, 6, 0], [7, 8, 0]])]; // prettier-ignore
  const [tensor] = await outputOf(landmarksToTensor, 'TENSOR', {
    inputs: { MULTI_NORM_LANDMARKS: [[0, lists]] },
    options: { attributes: ['Y'] },
  });
  expect((tensor as Tensor).shape).toEqual([2, 2, 1]);
});
