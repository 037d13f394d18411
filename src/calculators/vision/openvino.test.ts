/** OVMS's own calculators, and what MediaPipe's share with them. Expected values are worked out beside each case. */
import { describe, expect, it } from 'vitest';
import { CalculatorRegistry, parseGraphConfig, validateGraph, type CalculatorDefinition } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import { builtinCalculators } from '../index.ts';
import type { Detection } from '../message-types.ts';
import { openvinoConverter } from './openvino-converter.ts';
import { openvinoTensorsToDetections, tensorsToDetections } from './tensors-to-detections.ts';
import { expectClose, outputOf } from './test-kit.ts';

const fp32 = (shape: number[], numbers: readonly number[]): Tensor =>
  tensorOf('t', 'FP32', shape, Float32Array.from(numbers));

describe('OpenVINOConverterCalculator', () => {
  const grey = (value: number): Image => ({ width: 1, height: 1, channels: 1, format: 'GRAY8', data: Uint8Array.of(value) }); // prettier-ignore
  const rgba: Image = {
    width: 1,
    height: 2,
    channels: 4,
    format: 'SRGBA',
    data: Uint8Array.of(0, 51, 255, 9, 255, 102, 0, 9),
  };
  async function convert(image: Image, options: object, port = 'TENSORS'): Promise<Tensor> {
    const inputs = { IMAGE: [[0, image]] } as const;
    const [tensors] = await outputOf(openvinoConverter, port, { inputs, options: options as never });
    expect(tensors).toHaveLength(1);
    return (tensors as readonly Tensor[])[0]!;
  }
  const numbersOf = async (image: Image, options: object) => [
    ...(typedData(await convert(image, { enable_normalization: true, ...options })) as Float32Array),
  ];

  it('with custom_div and custom_sub: OVMS’s test CustomDivAndSub', async () => {
    expect(await numbersOf(grey(200), { use_custom_normalization: true, custom_div: 2, custom_sub: 33 })).toEqual([67]);
  });

  it.each([
    [0, 1],
    [-1, 1],
    [-0.5, 0.5],
  ])('with the range %d to %d: OVMS’s test SetOutputRange', async (min, max) => {
    // prettier-ignore
    const [value = NaN] = await numbersOf(grey(200), { output_tensor_float_range: { min, max } });
    const expected = Math.fround(min + (200 * (max - min)) / 255);
    expect(Math.abs(value - expected)).toBeLessThanOrEqual(2 * Math.abs(expected) * 2 ** -23);
  });

  it('is from −1 to 1 by default, of the first three channels, and turns upside down', async () => {
    const tensor = await convert(rgba, { enable_normalization: true });
    expect(tensor).toMatchObject({ datatype: 'FP32', shape: [1, 2, 1, 3] });
    const rounded = (await numbersOf(rgba, {})).map((value) => Math.round(value * 1e6) / 1e6);
    expectClose(rounded, [-1, -0.6, 1, 1, -0.2, -1]);
    expect((await numbersOf(rgba, { flip_vertically: true }))[0]).toBe(1);
    expect((await convert(rgba, { enable_normalization: true, max_num_channels: 4 })).shape).toEqual([1, 2, 1, 4]);
  });

  it('leaves brightnesses as they are without normalization', async () => {
    const same = await convert(rgba, {}, 'OVTENSORS');
    expect(same).toMatchObject({ datatype: 'UINT8', shape: [1, 2, 1, 4] });
    expect([...same.data]).toEqual([0, 51, 255, 9, 255, 102, 0, 9]);
    const deep: Image = { ...grey(0), format: 'GRAY16', data: Uint16Array.of(300) };
    expect((await convert(deep, {})).datatype).toBe('UINT16');
    await expect(convert(deep, { enable_normalization: true })).rejects.toThrow(
      /GRAY16 given, one of 8 bits or floats/,
    );
    const floats: Image = { ...grey(0), format: 'VEC32F1', data: Float32Array.of(0.5) };
    expect((await convert(floats, { enable_normalization: true, zero_center: false })).datatype).toBe('FP32');
  });

  it('refuses what makes no tensor', async () => {
    await expect(convert(rgba, { max_num_channels: 2 })).rejects.toThrow(/max_num_channels: 2 given/);
    const range = { min: 1, max: 1 };
    await expect(convert(rgba, { output_tensor_float_range: range })).rejects.toThrow(/min below max expected/);
    await expect(convert(rgba, { use_custom_normalization: true, custom_div: 0 })).rejects.toThrow(/custom_div: 0/);
  });
});

describe.each<[string, CalculatorDefinition]>([
  ['TensorsToDetectionsCalculator', tensorsToDetections],
  ['OpenVINOTensorsToDetectionsCalculator', openvinoTensorsToDetections],
])('%s', (_, definition) => {
  const SCALES = { x_scale: 10, y_scale: 10, w_scale: 5, h_scale: 5 };
  const OPTIONS = { num_classes: 3, num_boxes: 2, num_coords: 4, ignore_classes: 0 };
  async function detect(tensors: readonly Tensor[], options: object, sidePackets: object = {}): Promise<Detection[]> {
    const inputs = { TENSORS: [[0, tensors]] } as const;
    const run = { inputs, sidePackets: sidePackets as never, options: { ...OPTIONS, ...options } as never };
    return (await outputOf(definition, 'DETECTIONS', run))[0] as Detection[];
  }
  const flat = (found: readonly Detection[]) =>
    found.map(({ classes: [best], xMin, yMin, width, height }) => [
      best!.index,
      best!.score,
      xMin,
      yMin,
      width,
      height,
    ]);

  // Box 0 is its anchor moved by half of it to the right, box 1 is e times as high.
  const boxes = fp32([1, 2, 4], [0, 5, 0, 0, 0, 0, 5, 0]);
  const scores = fp32([1, 2, 3], [0.9, 0.25, 0.5, 0.5, 0.75, 0.125]);
  const ANCHORS = [
    { xCenter: 0.25, yCenter: 0.5, width: 0.5, height: 0.25 },
    { xCenter: 0.5, yCenter: 0.5, width: 0.25, height: 0.25 },
  ];
  const expected = [
    [2, 0.5, 0.25, 0.375, 0.5, 0.25],
    [1, 0.75, 0.375, 0.5 - (0.25 * Math.E) / 2, 0.25, 0.25 * Math.E],
  ];

  it('of boxes and scores, with anchors beside them or as a third tensor', async () => {
    const options = { ...SCALES, apply_exponential_on_box_size: true };
    expectClose(flat(await detect([boxes, scores], options, { ANCHORS })), expected);
    const rows = ANCHORS.flatMap(({ xCenter, yCenter, width, height }) => [yCenter, xCenter, height, width]);
    expectClose(flat(await detect([boxes, scores, fp32([2, 4], rows)], options)), expected);
  });

  it('of a model that has chosen already', async () => {
    // y0, x0, y1, x1; only the first three count, of which one is poor
    const found = fp32([1, 4, 4], [0.25, 0.125, 0.75, 0.5, 0, 0, 1, 1, 0.5, 0.5, 0.25, 0.75, 0, 0, 1, 1]);
    const [classes, ratings] = [fp32([1, 4], [2, 1, 1, 1]), fp32([1, 4], [0.75, 0.25, 0.75, 0.75])];
    const tensors = [found, classes, ratings, fp32([1], [3])];
    expectClose(flat(await detect(tensors, { min_score_thresh: 0.5 })), [[2, 0.75, 0.125, 0.25, 0.375, 0.5]]);
    const turned = await detect(tensors, { min_score_thresh: 0.5, flip_vertically: true });
    expectClose(flat(turned), [[2, 0.75, 0.125, 0.25, 0.375, 0.5]]);
    expect(await detect([found, classes, ratings, fp32([1], [0])], {})).toEqual([]);
  });

  it('says what it lacks', async () => {
    await expect(detect([boxes, scores], SCALES)).rejects.toThrow(/2 tensors given and no ANCHORS/);
    await expect(detect([boxes, scores], {}, { ANCHORS })).rejects.toThrow(/x_scale, y_scale, w_scale and h_scale/);
    await expect(detect([boxes, scores, fp32([1], [1])], {})).rejects.toThrow(/x_scale/);
    await expect(detect([boxes, scores, fp32([1], [1])], SCALES)).rejects.toThrow(/the anchors: .* 8 numbers expected/);
    await expect(detect([boxes], SCALES)).rejects.toThrow(/1 tensors given, 2, 3 or 4 expected/);
    await expect(detect([boxes, scores, scores, fp32([1], [3])], {})).rejects.toThrow(/12 numbers expected/);
  });
});

it('OVMS’s demo of object detection is a graph that can be served', () => {
  const node = (calculator: string, streams: string, options = '') =>
    `node { calculator: "${calculator}" ${streams} node_options: { ${options} } }`;
  const any = (name: string, fields: string) => `[type.googleapis.com / mediapipe.${name}Options]: { ${fields} }`;
  const text = `
    max_queue_size: 1
    input_stream: "IMAGE:input"
    output_stream: "IMAGE:output"
    ${node('ImageTransformationCalculator', 'input_stream: "IMAGE:input" output_stream: "IMAGE:transformed_input"', any('ImageTransformationCalculator', 'output_width: 320 output_height: 320'))}
    ${node('OpenVINOConverterCalculator', 'input_stream: "IMAGE:transformed_input" output_stream: "TENSORS:image_tensor"', any('OpenVINOConverterCalculator', 'enable_normalization: true zero_center: true'))}
    ${node('OpenVINOModelServerSessionCalculator', 'output_side_packet: "SESSION:session"', any('OpenVINOModelServerSessionCalculator', 'servable_name: "ssdlite" servable_version: "1"'))}
    ${node('OpenVINOInferenceCalculator', 'input_side_packet: "SESSION:session" input_stream: "OVTENSORS:image_tensor" output_stream: "OVTENSORS2:detection_tensors"', any('OpenVINOInferenceCalculator', 'input_order_list: ["image"] output_order_list: ["boxes", "classes"]'))}
    ${node('SsdAnchorsCalculator', 'output_side_packet: "anchors"', any('SsdAnchorsCalculator', 'num_layers: 6 min_scale: 0.2 max_scale: 0.95 input_size_height: 320 input_size_width: 320 anchor_offset_x: 0.5 anchor_offset_y: 0.5 strides: 16 strides: 32 strides: 64 strides: 128 strides: 256 strides: 512 aspect_ratios: 1.0 aspect_ratios: 2.0 aspect_ratios: 0.5 aspect_ratios: 3.0 aspect_ratios: 0.3333 reduce_boxes_in_lowest_layer: true'))}
    ${node('OpenVINOTensorsToDetectionsCalculator', 'input_stream: "TENSORS:detection_tensors" input_side_packet: "ANCHORS:anchors" output_stream: "DETECTIONS:detections"', any('OpenVINOTensorsToDetectionsCalculator', 'num_classes: 91 num_boxes: 2034 num_coords: 4 ignore_classes: 0 apply_exponential_on_box_size: true x_scale: 10.0 y_scale: 10.0 h_scale: 5.0 w_scale: 5.0'))}
    ${node('NonMaxSuppressionCalculator', 'input_stream: "detections" output_stream: "filtered"', any('NonMaxSuppressionCalculator', 'min_suppression_threshold: 0.4 min_score_threshold: 0.6 max_num_detections: 5 overlap_type: INTERSECTION_OVER_UNION'))}
    ${node('DetectionLabelIdToTextCalculator', 'input_stream: "filtered" output_stream: "named"', any('DetectionLabelIdToTextCalculator', 'label: "cat"'))}
    ${node('DetectionsToRenderDataCalculator', 'input_stream: "DETECTIONS:named" output_stream: "RENDER_DATA:marks"', any('DetectionsToRenderDataCalculator', 'thickness: 4.0 color { r: 255 g: 0 b: 0 }'))}
    ${node('AnnotationOverlayCalculator', 'input_stream: "IMAGE:transformed_input" input_stream: "marks" output_stream: "IMAGE:output"')}`;
  const graph = validateGraph(parseGraphConfig(text), new CalculatorRegistry(builtinCalculators));
  expect(graph.nodes).toHaveLength(10);
});
