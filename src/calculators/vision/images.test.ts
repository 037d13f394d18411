/** Calculators whose packets are images. Pixels themselves: `src/media/pixels.test.ts`. */
import { describe, expect, it } from 'vitest';
import { runCalculator, type CalculatorDefinition, type PacketList } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { bytes, pattern } from '../../media/test-kit.ts';
import { typedData, type Tensor } from '../../tensor/tensor.ts';
import { annotationOverlay } from './annotation-overlay.ts';
import { detectionsToRenderData, rectToRenderData, rectToRenderScale } from './boxes-to-render-data.ts';
import { fromImageCalculator, toImageCalculator } from './image-conversion.ts';
import { imageCropping } from './image-cropping.ts';
import { imageProperties } from './image-properties.ts';
import { imageToTensor } from './image-to-tensor.ts';
import { imageTransformation } from './image-transformation.ts';
import { landmarksToRenderData } from './landmarks-to-render-data.ts';
import type { Mark, RenderData } from './render-data.ts';
import { outputOf, rectOf, values } from './test-kit.ts';

/** One channel of the numbers given, row by row. */
function grey(rows: readonly (readonly number[])[]): Image {
  const [row = []] = rows;
  return { width: row.length, height: rows.length, channels: 1, format: 'GRAY8', data: Uint8Array.from(rows.flat()) };
}

const rowsOf = ({ data, width }: Image): number[][] =>
  Array.from({ length: data.length / width }, (_, y) => [...data.subarray(y * width, (y + 1) * width)]);

function plain(width: number, height: number, value: number): Image {
  return { width, height, channels: 3, format: 'SRGB', data: new Uint8Array(width * height * 3).fill(value) };
}

function furthest({ data }: Image, from: Uint8Array): number {
  return Array.from(data).reduce((most, value, at) => Math.max(most, Math.abs(value - from[at]!)), 0);
}

async function imageOf(
  definition: CalculatorDefinition,
  inputs: Record<string, PacketList>,
  options: object = {},
): Promise<Image> {
  const [image] = await outputOf(definition, 'IMAGE', { inputs, options: options as never });
  return image as Image;
}

describe('ImageToTensorCalculator', () => {
  const OPTIONS = { output_tensor_width: 4, output_tensor_height: 2 };
  const tensorFor = async (
    options: object,
    inputs: Record<string, PacketList> = { IMAGE: [[0, plain(4, 4, 255)]] },
  ) => {
    const [tensor] = await outputOf(imageToTensor, 'TENSOR', { inputs, options: { ...OPTIONS, ...options } as never });
    return tensor as Tensor;
  };

  it('makes FP32, INT8 and UINT8 in their ranges', async () => {
    expect(await tensorFor({})).toMatchObject({ datatype: 'FP32', shape: [1, 2, 4, 3] });
    const first = async (options: object) => typedData(await tensorFor(options))[0];
    expect(await first({})).toBe(1);
    expect(await first({ output_tensor_float_range: { min: -1, max: 3 } })).toBe(3);
    expect(await first({ output_tensor_int_range: { min: -128, max: 127 } })).toBe(127);
    expect(await first({ output_tensor_uint_range: { min: 0, max: 200 } })).toBe(200);
    await expect(tensorFor({ output_tensor_uint_range: { min: 0, max: 256 } })).rejects.toThrow(/within 0…255/);
    await expect(tensorFor({ output_tensor_float_range: { min: 1, max: 1 } })).rejects.toThrow(/min below max/);
  });

  it('tells the bars that it added, and a matrix that leads back', async () => {
    const inputs = { IMAGE: [[0, plain(40, 40, 255)]] } as const;
    const options = { ...OPTIONS, keep_aspect_ratio: true, border_mode: 'BORDER_ZERO' };
    expect(await outputOf(imageToTensor, 'LETTERBOX_PADDING', { inputs, options })).toEqual([[0.25, 0, 0.25, 0]]);
    const [matrix] = (await outputOf(imageToTensor, 'MATRIX', { inputs, options })) as number[][];
    const xAt = (x: number) => (matrix?.[0] ?? 0) * x + (matrix?.[3] ?? 0);
    expect([xAt(0.25), xAt(0.75)]).toEqual([0, 1]);
    expect([...typedData(await tensorFor(options, inputs))].slice(0, 6)).toEqual([0, 0, 0, 1, 1, 1]);
  });

  it('gives nothing for a region of size 0, nor at times without one', async () => {
    const inputs = { IMAGE: [[0, plain(4, 4, 1)], [1, plain(4, 4, 1)]], NORM_RECT: [[0, rectOf([0.5, 0.5])]] } as const; // prettier-ignore
    expect(await outputOf(imageToTensor, 'TENSORS', { inputs, options: OPTIONS })).toEqual([]);
  });
});

it('ImagePropertiesCalculator and conversions', async () => {
  const image = plain(6, 4, 0);
  expect(await outputOf(imageProperties, 'SIZE', { inputs: { IMAGE_CPU: [[0, image]] } })).toEqual([[6, 4]]);
  await expect(outputOf(imageProperties, 'SIZE', { inputs: {} })).rejects.toThrow(/0 inputs given, one expected/);
  expect(await outputOf(toImageCalculator, 'IMAGE', { inputs: { IMAGE_CPU: [[0, image]] } })).toEqual([image]);
  expect(await outputOf(fromImageCalculator, 'IMAGE_CPU', { inputs: { IMAGE: [[0, image]] } })).toEqual([image]);
  expect(await outputOf(fromImageCalculator, 'SOURCE_ON_GPU', { inputs: { IMAGE: [[0, image]] } })).toEqual([false]);
});

describe('ImageTransformationCalculator', () => {
  const image = grey([[1, 2], [3, 4]]); // prettier-ignore
  const transform = async (options: object, given = image) => rowsOf(await imageOf(imageTransformation, { IMAGE: [[0, given]] }, options)); // prettier-ignore

  it('turns against the clock, mirrors and scales', async () => {
    expect(await transform({})).toEqual([[1, 2], [3, 4]]); // prettier-ignore
    expect(await transform({ rotation_mode: 'ROTATION_90' })).toEqual([[2, 4], [1, 3]]); // prettier-ignore
    expect(await transform({ rotation_mode: 4 })).toEqual([[3, 1], [4, 2]]); // prettier-ignore
    expect(await transform({ flip_horizontally: true })).toEqual([[2, 1], [4, 3]]); // prettier-ignore
    expect(await transform({ output_width: 1, output_height: 1 })).toEqual([[3]]);
    expect(await transform({ output_width: 4, output_height: 2, interpolation_mode: 'NEAREST' })).toEqual([[1, 1, 2, 2], [3, 3, 4, 4]]); // prettier-ignore
  });

  it('fits with bars of a colour or of the edge, or fills', async () => {
    const fit = { output_width: 4, output_height: 2, scale_mode: 'FIT' };
    expect(await transform(fit)).toEqual([[0, 1, 2, 0], [0, 3, 4, 0]]); // prettier-ignore
    expect(await transform({ ...fit, padding_color: { red: 9 } })).toEqual([[9, 1, 2, 9], [9, 3, 4, 9]]); // prettier-ignore
    expect(await transform({ ...fit, constant_padding: false })).toEqual([[1, 1, 2, 2], [3, 3, 4, 4]]); // prettier-ignore
    expect(await transform({ output_width: 2, output_height: 1, scale_mode: 'FILL_AND_CROP' })).toEqual([[1, 2]]);
    const both = ['IMAGE', 'LETTERBOX_PADDING'];
    const { outputs } = await runCalculator(imageTransformation, {
      inputs: { IMAGE: [[0, image]] },
      options: fit,
      outputs: both,
    });
    expect(outputs['LETTERBOX_PADDING']?.[0]?.value).toEqual([0.25, 0, 0.25, 0]);
  });

  it.each(values.transformations)('makes $out of $size as OpenCV: $options', async ({ size, options, out, pixels }) => {
    const found = await imageOf(imageTransformation, { IMAGE: [[0, pattern(size)]] }, options);
    expect([found.width, found.height]).toEqual(out);
    const right = bytes(pixels);
    expect(found.data).toHaveLength(right.length);
    expect(furthest(found, right)).toBeLessThanOrEqual('output_width' in options ? 1 : 0);
  });

  it('takes size and turn from streams', async () => {
    const inputs = { IMAGE: [[0, image]], OUTPUT_DIMENSIONS: [[0, [1, 2]]], ROTATION_DEGREES: [[0, 90]] } as const;
    expect(await imageOf(imageTransformation, inputs)).toMatchObject({ width: 1, height: 2 });
    await expect(imageOf(imageTransformation, { ...inputs, ROTATION_DEGREES: [[0, 45]] })).rejects.toThrow(
      /multiple of 90/,
    );
  });
});

describe('ImageCroppingCalculator', () => {
  const image = grey([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]); // prettier-ignore
  const cut = async (inputs: Record<string, PacketList>, options: object = {}) => rowsOf(await imageOf(imageCropping, { IMAGE: [[0, image]], ...inputs }, options)); // prettier-ignore

  it.each(values.croppings)(
    'cuts $rect out of $size as OpenCV',
    async ({ size, rect, normalized, replicate, out, pixels }) => {
      const inputs: Record<string, PacketList> = {
        IMAGE: [[0, pattern(size)]],
        [normalized ? 'NORM_RECT' : 'RECT']: [[0, rectOf(rect)]],
      };
      const options = { border_mode: replicate ? 'BORDER_REPLICATE' : 'BORDER_ZERO' };
      const found = await imageOf(imageCropping, inputs, options);
      expect([found.width, found.height]).toEqual(out);
      const right = bytes(pixels);
      expect(found.data).toHaveLength(right.length);
      // OpenCV's own halves are not always exact: one pixel may be another.
      const others = Array.from(found.data).filter((value, at) => value !== right[at]).length;
      expect(others).toBeLessThanOrEqual(size[2]);
    },
  );

  it('cuts out by shares, by pixels, and by options', async () => {
    const part = [[6, 8], [14, 16]]; // prettier-ignore
    expect(await cut({ NORM_RECT: [[0, rectOf([0.5, 0.5, 0.5, 0.5])]] })).toEqual(part);
    expect(await cut({ RECT: [[0, rectOf([2, 2, 2, 2])]] })).toEqual(part);
    expect(await cut({}, { norm_width: 0.5, norm_height: 0.5, norm_center_x: 0.5, norm_center_y: 0.5 })).toEqual(part);
    expect(await cut({}, { width: 2, height: 2 })).toEqual(part);
  });

  it('shows black or the edge outside', async () => {
    const corner = { NORM_RECT: [[0, rectOf([0, 0, 0.5, 0.5])]] } as const;
    expect(await cut(corner)).toEqual([[0, 0], [0, 6]]); // prettier-ignore
    expect(await cut(corner, { border_mode: 'BORDER_REPLICATE' })).toEqual([[1, 2], [5, 6]]); // prettier-ignore
  });

  it('limits the result, and refuses a region without extent', async () => {
    expect(await imageOf(imageCropping, { IMAGE: [[0, image]] }, { output_max_width: 2 })).toMatchObject({
      width: 2,
      height: 2,
    });
    await expect(cut({ RECT: [[0, rectOf([2, 2, 0, 2])]] })).rejects.toThrow(/a region of 0 × 2 pixels given/);
    await expect(cut({ RECT: [[0, rectOf([2, 2, 1e6, 1e6])]] })).rejects.toThrow(/pixels expected/);
  });
});

describe('what is drawn', () => {
  const marksOf = async (
    definition: CalculatorDefinition,
    inputs: Record<string, PacketList>,
    options: object,
  ): Promise<readonly Mark[]> => {
    const [data] = await outputOf(definition, 'RENDER_DATA', { inputs, options: options as never });
    return (data as RenderData).marks;
  };
  const points = [
    { x: 0.1, y: 0.2, z: 0, visibility: 0.9 },
    { x: 0.3, y: 0.4, z: 1, visibility: 0.05 },
    { x: 0.5, y: 0.6, z: 2, visibility: 0.5 },
  ];

  it('lines and points that are visible, as thick as the scale says', async () => {
    const options = {
      landmark_connections: [0, 1, 0, 2],
      landmark_color: { r: 1 },
      connection_color: { g: 2 },
      ...{ thickness: 3, visualize_landmark_depth: false, utilize_visibility: true, visibility_threshold: 0.1 },
    };
    const inputs = { NORM_LANDMARKS: [[0, points]], RENDER_SCALE: [[0, 2]] } as const;
    expect(await marksOf(landmarksToRenderData, inputs, options)).toEqual([
      { kind: 'line', x0: 0.1, y0: 0.2, x1: 0.5, y1: 0.6, colour: [0, 2, 0], thickness: 6, isNormalized: true },
      { kind: 'point', x: 0.1, y: 0.2, colour: [1, 0, 0], thickness: 6, isNormalized: true },
      { kind: 'point', x: 0.5, y: 0.6, colour: [1, 0, 0], thickness: 6, isNormalized: true },
    ]);
    const bare = await marksOf(landmarksToRenderData, inputs, {
      ...options,
      utilize_visibility: false,
      render_landmarks: false,
    });
    expect(bare.map(({ kind }) => kind)).toEqual(['line', 'line']);
    // Points of hands say nothing of visibility: they are shown.
    const unknown = { NORM_LANDMARKS: [[0, points.map(({ x, y, z }) => ({ x, y, z }))]] } as const;
    const thresholds = { ...options, utilize_presence: true, presence_threshold: 0.5 };
    expect(await marksOf(landmarksToRenderData, unknown, thresholds)).toHaveLength(5);
    await expect(marksOf(landmarksToRenderData, inputs, { landmark_connections: 1 })).rejects.toThrow(/an even number/);
  });

  it('depth by size and colour', async () => {
    const options = { landmark_connections: [0, 1], min_depth_line_color: { r: 200 }, max_depth_line_color: { r: 100 }, min_depth_circle_thickness: 2, max_depth_circle_thickness: 6 }; // prettier-ignore
    const [line, ...circles] = await marksOf(landmarksToRenderData, { NORM_LANDMARKS: [[0, points]] }, options);
    expect(line).toMatchObject({ colour: [100, 0, 0], endColour: [149, 0, 0] });
    expect(circles.map(({ thickness, colour: [grey] }) => [thickness, grey])).toEqual([[6, 255], [4, 128], [2, 1]]); // prettier-ignore
    const even = points.map((point) => ({ ...point, z: 0.5 }));
    const flat = await marksOf(landmarksToRenderData, { NORM_LANDMARKS: [[0, even]] }, options);
    expect(flat.map(({ thickness }) => thickness)).toEqual([1, 1, 1, 1]);
  });

  it('boxes with labels and key points', async () => {
    const detection = {
      ...{ xMin: 0.2, yMin: 0.3, width: 0.4, height: 0.2, keyPoints: [{ x: 0.3, y: 0.4 }] },
      classes: [{ index: 7, score: 0.875 }, { index: 1, score: 0.5, label: 'cat' }],
    }; // prettier-ignore
    const marks = await marksOf(
      detectionsToRenderData,
      { DETECTIONS: [[0, [detection]]] },
      { thickness: 2, color: { b: 255 } },
    );
    expect(marks.map(({ kind }) => kind)).toEqual(['text', 'rectangle', 'point']);
    expect(marks[0]).toMatchObject({ text: '7,0.88,cat,0.50', colour: [0, 0, 255] });
    const lines = await marksOf(detectionsToRenderData, { DETECTION: [[0, detection]] }, { one_label_per_line: true });
    expect(lines.filter(({ kind }) => kind === 'text')).toHaveLength(2);
    const none = { inputs: { DETECTIONS: [[0, []]] }, options: { produce_empty_packet: false } } as const;
    expect(await outputOf(detectionsToRenderData, 'RENDER_DATA', none)).toEqual([]);
  });

  it('rectangles, and the scale of a region', async () => {
    const marks = await marksOf(
      rectToRenderData,
      { NORM_RECTS: [[0, [rectOf([0.5, 0.5, 0.2, 0.1, 1])]]] },
      { oval: true, filled: true },
    );
    expect(marks).toMatchObject([{ kind: 'oval', isFilled: true, rotation: 1, isNormalized: true }]);
    const scale = { NORM_RECT: [[0, rectOf([0, 0, 0.5, 1])]], IMAGE_SIZE: [[0, [640, 200]], [1, [640, 200]]] } as const; // prettier-ignore
    const options = { multiplier: 0.01, process_timestamp_bounds: true };
    expect(await outputOf(rectToRenderScale, 'RENDER_SCALE', { inputs: scale, options })).toEqual([3.2, 0.01]);
  });

  it('lands on a copy of the image, or on a canvas', async () => {
    const image = plain(20, 10, 0);
    const marks: Mark[] = [
      { kind: 'point', x: 0.5, y: 0.5, thickness: 1, colour: [9, 8, 7], isNormalized: true },
      { kind: 'rectangle', xCenter: 15, yCenter: 5, width: 4, height: 4, rotation: 0, isFilled: true, thickness: 1, colour: [1, 1, 1], isNormalized: false },
      { kind: 'text', x: 0, y: 9, text: 'i', fontHeight: 8, thickness: 1, colour: [5, 5, 5], isNormalized: false },
    ]; // prettier-ignore
    const inputs = { IMAGE: [[0, image]], ':0': [[0, { marks: marks.slice(0, 1) }]], VECTOR: [[0, [{ marks: marks.slice(1) }]]] } as const; // prettier-ignore
    const drawn = await imageOf(annotationOverlay, inputs);
    const at = (x: number, y: number) => [...drawn.data.subarray((y * 20 + x) * 3, (y * 20 + x) * 3 + 3)];
    expect([at(10, 5), at(15, 5), at(0, 0)]).toEqual([[9, 8, 7], [1, 1, 1], [0, 0, 0]]); // prettier-ignore
    expect(drawn.data.includes(5)).toBe(true);
    expect(image.data.every((value) => value === 0)).toBe(true);

    const canvas = await imageOf(annotationOverlay, { ':0': [[0, { marks: [] }]] }, { canvas_width_px: 4, canvas_height_px: 2, canvas_color: { r: 3 } }); // prettier-ignore
    expect([canvas.width, canvas.height, ...canvas.data.subarray(0, 3)]).toEqual([4, 2, 3, 0, 0]);
    const floats: Image = { width: 1, height: 1, channels: 1, format: 'VEC32F1', data: new Float32Array(1) };
    await expect(imageOf(annotationOverlay, { IMAGE: [[0, floats]] })).rejects.toThrow(/an image of 8 bits expected/);
  });
});
