import { z } from 'zod';
import { defineCalculator, optional } from '../../graph/index.ts';
import { float, vectorOf } from '../core/packet-types.ts';
import {
  detection,
  detectionList,
  imageSize,
  normalizedRect,
  rect,
  type Classification,
  type Detection,
  type Rect,
} from '../message-types.ts';
import { renderData, type Mark } from './render-data.ts';
import { BLACK, colour, colourOf } from './render-options.ts';

const textOptions = z
  .object({
    fontHeight: z.number().positive().default(0.03).describe('Share of the height of the picture.'),
  })
  .default({ fontHeight: 0.03 });

const detectionOptions = z.object({
  produceEmptyPacket: z.boolean().default(true).describe('Sends something also where there is no detection.'),
  textDelimiter: z.string().default(',').describe('Between a label and its score.'),
  oneLabelPerLine: z.boolean().default(false).describe('Each label has a line of its own.'),
  text: textOptions.describe('How labels are written.'),
  thickness: z.number().default(1).describe('Of the boxes in pixels.'),
  color: colour.optional().describe('Of boxes and labels; black by default.'),
  sceneClass: z.string().default('DETECTION').describe('A name for what is drawn.'),
});

type DetectionOptions = z.infer<typeof detectionOptions>;

/**
 * Boxes with labels and scores for AnnotationOverlay, with their key points.
 *
 * node {
 *   calculator: "DetectionsToRenderDataCalculator"
 *   input_stream: "DETECTIONS:detections"
 *   output_stream: "RENDER_DATA:marks"
 *   options { [mediapipe.DetectionsToRenderDataCalculatorOptions.ext] { thickness: 4.0 color { r: 255 g: 0 b: 0 } } }
 * }
 */
export const detectionsToRenderData = defineCalculator({
  name: 'DetectionsToRenderDataCalculator',
  options: detectionOptions,
  inputs: {
    DETECTION: optional(detection),
    DETECTIONS: optional(vectorOf(detection)),
    DETECTION_LIST: optional(detectionList),
  },
  outputs: { RENDER_DATA: renderData },
  timestampOffset: 0,
  contract({ inputs, fail }) {
    if (inputs.all.length === 0) fail('DETECTION, DETECTIONS or DETECTION_LIST expected');
  },
  open({ options: given }) {
    return {
      process({ inputs, outputs }) {
        const one = inputs.DETECTION?.packet?.value;
        const many = [inputs.DETECTIONS, inputs.DETECTION_LIST].flatMap((port) => port?.packet?.value ?? []);
        const all = one === undefined ? many : [one, ...many];
        if (all.length === 0 && !given.produceEmptyPacket) return;
        outputs.RENDER_DATA.send({ sceneClass: given.sceneClass, marks: all.flatMap((each) => marksOf(each, given)) });
      },
    };
  },
});

function marksOf(one: Detection, given: DetectionOptions): Mark[] {
  const drawn = {
    colour: given.color === undefined ? BLACK : colourOf(given.color),
    thickness: given.thickness,
    isNormalized: true,
  };
  const labels = one.classes.map((each) => labelOf(each, given.textDelimiter));
  const lines = given.oneLabelPerLine ? labels : labels.length === 0 ? [] : [labels.join(given.textDelimiter)];
  const { fontHeight } = given.text;
  const texts = lines.map((text, line): Mark => {
    const y = one.yMin - 0.25 * fontHeight - (lines.length - 1 - line) * 1.2 * fontHeight;
    return {
      ...drawn,
      kind: 'text',
      text,
      x: one.xMin,
      y: y > fontHeight ? y : one.yMin + fontHeight * (line + 1.2),
      fontHeight,
    };
  });
  const points = (one.keyPoints ?? []).map(({ x, y }): Mark => ({ ...drawn, kind: 'point', x, y }));
  return [...texts, ...frameOf(one, drawn), ...points];
}

/** The part of the box that is in the picture, as in MediaPipe; none where nothing is. */
function frameOf(
  { xMin, yMin, width, height }: Detection,
  drawn: Pick<Mark, 'colour' | 'thickness' | 'isNormalized'>,
): Mark[] {
  const [left, top] = [Math.max(xMin, 0), Math.max(yMin, 0)];
  const [right, bottom] = [Math.min(xMin + width, 1), Math.min(yMin + height, 1)];
  if (right < left || bottom < top) return [];
  const [xCenter, yCenter] = [(left + right) / 2, (top + bottom) / 2];
  const sides = { xCenter, yCenter, width: right - left, height: bottom - top, rotation: 0 };
  return [{ ...drawn, kind: 'rectangle', ...sides, isFilled: false }];
}

function labelOf({ index, score, label, displayName }: Classification, delimiter: string): string {
  return `${displayName ?? label ?? String(index)}${delimiter}${score.toFixed(2)}`;
}

const rectOptions = z.object({
  filled: z.boolean().default(false).describe('The whole area, not its edge only.'),
  color: colour.optional().describe('Black by default.'),
  thickness: z.number().default(1).describe('In pixels.'),
  oval: z.boolean().default(false).describe('An oval in the rectangle.'),
});

/**
 * Rectangles for AnnotationOverlay: NORM_RECT or NORM_RECTS in shares of the picture, RECT or RECTS in pixels.
 *
 * node {
 *   calculator: "RectToRenderDataCalculator"
 *   input_stream: "NORM_RECT:roi"
 *   output_stream: "RENDER_DATA:roi_marks"
 *   options { [mediapipe.RectToRenderDataCalculatorOptions.ext] { color { r: 255 g: 255 } thickness: 4.0 } }
 * }
 */
export const rectToRenderData = defineCalculator({
  name: 'RectToRenderDataCalculator',
  options: rectOptions,
  inputs: {
    RECT: optional(rect),
    RECTS: optional(vectorOf(rect)),
    NORM_RECT: optional(normalizedRect),
    NORM_RECTS: optional(vectorOf(normalizedRect)),
  },
  outputs: { RENDER_DATA: renderData },
  timestampOffset: 0,
  contract({ inputs, fail }) {
    if (inputs.all.length !== 1) fail('one of RECT, RECTS, NORM_RECT and NORM_RECTS expected');
  },
  open({ options: given }) {
    const drawn = { colour: given.color === undefined ? BLACK : colourOf(given.color), thickness: given.thickness };
    return {
      process({ inputs, outputs }) {
        const one = (inputs.RECT ?? inputs.NORM_RECT)?.packet?.value;
        const many = (inputs.RECTS ?? inputs.NORM_RECTS)?.packet?.value ?? (one === undefined ? undefined : [one]);
        if (many === undefined) return;
        const isNormalized = (inputs.NORM_RECT ?? inputs.NORM_RECTS) !== undefined;
        const markOf = ({ xCenter, yCenter, width, height, rotation = 0 }: Rect): Mark => ({
          ...drawn,
          kind: given.oval ? 'oval' : 'rectangle',
          isFilled: given.filled,
          ...{ xCenter, yCenter, width, height, rotation, isNormalized },
        });
        outputs.RENDER_DATA.send({ marks: many.map(markOf) });
      },
    };
  },
});

/**
 * A factor for thicknesses by the size of a region: its longer side in pixels times the multiplier; the multiplier alone
 * where there is no region.
 *
 * node {
 *   calculator: "RectToRenderScaleCalculator"
 *   input_stream: "NORM_RECT:roi"
 *   input_stream: "IMAGE_SIZE:size"
 *   output_stream: "RENDER_SCALE:scale"
 *   options { [mediapipe.RectToRenderScaleCalculatorOptions.ext] { multiplier: 0.0008 } }
 * }
 */
export const rectToRenderScale = defineCalculator({
  name: 'RectToRenderScaleCalculator',
  options: z.object({
    multiplier: z.number().default(0.01).describe('Of the longer side in pixels.'),
    processTimestampBounds: z.boolean().default(false).describe('Also tells a factor at times without a region.'),
  }),
  inputs: { NORM_RECT: normalizedRect, IMAGE_SIZE: imageSize },
  outputs: { RENDER_SCALE: float },
  timestampOffset: 0,
  contract(node) {
    if (node.options.processTimestampBounds) node.processTimestampBounds = true;
  },
  open({ options: { multiplier } }) {
    return {
      process({ inputs, outputs }) {
        const region = inputs.NORM_RECT.packet?.value;
        const size = inputs.IMAGE_SIZE.packet?.value;
        if (region === undefined || size === undefined) return outputs.RENDER_SCALE.send(multiplier);
        outputs.RENDER_SCALE.send(multiplier * Math.max(region.width * size[0], region.height * size[1]));
      },
    };
  },
});
