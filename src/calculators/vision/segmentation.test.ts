import { describe, expect, it } from 'vitest';
import type { PacketList } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { tensorOf, type Tensor } from '../../tensor/tensor.ts';
import { normalizedRectVectorHasMinSize } from './collection-size.ts';
import { landmarksToTensor } from './landmarks-to-tensor.ts';
import { recolor, tensorsToSegmentation } from './segmentation.ts';
import { expectClose, outputOf, pointsOf, rectOf } from './test-kit.ts';

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
