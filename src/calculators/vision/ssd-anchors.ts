import { z } from 'zod';
import { defineCalculator, PacketType } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';

/** Where a detector looks for things; in widths and heights of its input. */
export interface Anchor {
  readonly xCenter: number;
  readonly yCenter: number;
  readonly width: number;
  readonly height: number;
}

const anchor = new PacketType<Anchor>(
  'Anchor',
  (value) => typeof value === 'object' && value !== null && 'xCenter' in value,
);
export const anchors = vectorOf(anchor);

const options = z.object({
  inputSizeWidth: z.int().min(1).optional().describe("Of the model's input; needed without feature_map_width."),
  inputSizeHeight: z.int().min(1).optional().describe("Of the model's input; needed without feature_map_height."),
  minScale: z.number().optional().describe('Size of the anchors of the first layer.'),
  maxScale: z.number().optional().describe('Size of the anchors of the last layer.'),
  numLayers: z.int().min(0).optional().describe('As many as there are strides.'),
  featureMapWidth: z
    .array(z.int().min(1))
    .default([])
    .describe('Cells across, by layer; else the size over the stride.'),
  featureMapHeight: z
    .array(z.int().min(1))
    .default([])
    .describe('Cells down, by layer; else the size over the stride.'),
  anchorOffsetX: z.number().default(0.5).describe('Of a centre in its cell.'),
  anchorOffsetY: z.number().default(0.5).describe('Of a centre in its cell.'),
  strides: z
    .array(z.int().min(1))
    .default([])
    .describe('Pixels of a cell, by layer; those with equal strides share cells.'),
  aspectRatios: z.array(z.number().positive()).default([]).describe('Of the anchors of a cell.'),
  reduceBoxesInLowestLayer: z.boolean().default(false).describe('The first layer has three anchors for each cell.'),
  interpolatedScaleAspectRatio: z
    .number()
    .default(1)
    .describe('Aspect of one more anchor for each cell, of a size between this layer and the next; 0 for none.'),
  fixedAnchorSize: z.boolean().default(false).describe('Every anchor is of size 1 × 1.'),
  fixedAnchors: z
    .array(z.object({ xCenter: z.number().default(0), yCenter: z.number().default(0), w: z.number(), h: z.number() }))
    .default([])
    .describe('The anchors themselves, in place of all else.'),
});

type Options = z.infer<typeof options>;

/**
 * The anchors of an SSD detector as a side packet, for `TensorsToDetectionsCalculator`.
 *
 * node {
 *   calculator: "SsdAnchorsCalculator"
 *   output_side_packet: "anchors"
 *   options { [mediapipe.SsdAnchorsCalculatorOptions.ext] {
 *     input_size_width: 128 input_size_height: 128 num_layers: 4 min_scale: 0.1484375 max_scale: 0.75
 *     strides: 8 strides: 16 strides: 16 strides: 16 aspect_ratios: 1.0 fixed_anchor_size: true
 *   } }
 * }
 */
export const ssdAnchors = defineCalculator({
  name: 'SsdAnchorsCalculator',
  options,
  outputSidePackets: { '': anchors },
  check(given) {
    if (given.fixedAnchors.length > 0) return undefined;
    const layers = given.strides.length || given.featureMapWidth.length;
    if (layers === 0) return 'strides or feature_map_width and feature_map_height expected';
    if (given.numLayers !== undefined && given.numLayers !== layers) {
      return `num_layers: ${given.numLayers} given, ${layers} expected, one per stride`;
    }
    const maps = [given.featureMapWidth.length, given.featureMapHeight.length];
    if (maps.some((count) => count !== 0 && count !== layers)) return 'a feature map is expected for each layer';
    const hasSize = given.inputSizeWidth !== undefined && given.inputSizeHeight !== undefined;
    return hasSize || maps[0] !== 0 ? undefined : 'input_size_width and input_size_height expected';
  },
  open({ options: given, outputSidePackets }) {
    outputSidePackets[''].set(makeAnchors(given));
    return { process: (node) => node.stop() };
  },
});

export function makeAnchors(given: Options): Anchor[] {
  if (given.fixedAnchors.length > 0) {
    return given.fixedAnchors.map(({ xCenter, yCenter, w, h }) => ({ xCenter, yCenter, width: w, height: h }));
  }
  const layers = given.strides.length || given.featureMapWidth.length;
  const result: Anchor[] = [];
  for (let layer = 0; layer < layers;) {
    let next = layer;
    const shapes: { readonly width: number; readonly height: number }[] = [];
    do shapes.push(...shapesOf(given, next++, layers));
    while (next < layers && given.strides.length > 0 && given.strides[next] === given.strides[layer]);
    addCells(result, given, layer, shapes);
    layer = next;
  }
  return result;
}

/** The anchors of each cell of a layer. */
function shapesOf(given: Options, layer: number, layers: number): { width: number; height: number }[] {
  const scale = scaleOf(given, layer, layers);
  const shape = (size: number, ratio: number) => ({ width: size * Math.sqrt(ratio), height: size / Math.sqrt(ratio) });
  if (layer === 0 && given.reduceBoxesInLowestLayer) return [shape(0.1, 1), shape(scale, 2), shape(scale, 0.5)];
  const shapes = given.aspectRatios.map((ratio) => shape(scale, ratio));
  if (given.interpolatedScaleAspectRatio > 0) {
    const after = layer === layers - 1 ? 1 : scaleOf(given, layer + 1, layers);
    shapes.push(shape(Math.sqrt(scale * after), given.interpolatedScaleAspectRatio));
  }
  return shapes;
}

function scaleOf({ minScale = 1, maxScale = 1 }: Options, layer: number, layers: number): number {
  return layers === 1 ? (minScale + maxScale) / 2 : minScale + ((maxScale - minScale) * layer) / (layers - 1);
}

function addCells(
  result: Anchor[],
  given: Options,
  layer: number,
  shapes: readonly { readonly width: number; readonly height: number }[],
): void {
  const stride = given.strides[layer] ?? 1;
  const rows = given.featureMapHeight[layer] ?? Math.ceil((given.inputSizeHeight ?? 0) / stride);
  const columns = given.featureMapWidth[layer] ?? Math.ceil((given.inputSizeWidth ?? 0) / stride);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      for (const { width, height } of shapes) {
        result.push({
          xCenter: (x + given.anchorOffsetX) / columns,
          yCenter: (y + given.anchorOffsetY) / rows,
          width: given.fixedAnchorSize ? 1 : width,
          height: given.fixedAnchorSize ? 1 : height,
        });
      }
    }
  }
}
