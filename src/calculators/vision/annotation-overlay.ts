import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { defineCalculator, optional, repeated } from '../../graph/index.ts';
import { drawGradient, drawLine, drawText, fillCircle, fillConvex, type Canvas } from '../../media/drawing.ts';
import { GLYPH_HEIGHT } from '../../media/font.ts';
import type { Image } from '../../media/image.ts';
import { vectorOf } from '../core/packet-types.ts';
import { imagePacket } from '../packet-types.ts';
import { renderData, type Mark, type RenderData } from './render-data.ts';
import { colour } from './render-options.ts';

const options = z.object({
  canvasWidthPx: z.int().min(1).max(16384).default(1920).describe('Of the picture drawn on, without IMAGE.'),
  canvasHeightPx: z.int().min(1).max(16384).default(1080).describe('Of the picture drawn on, without IMAGE.'),
  canvasColor: colour.default({ r: 0, g: 0, b: 0 }).describe('Of the picture drawn on, without IMAGE.'),
  flipTextVertically: z.boolean().default(false).describe('Of no effect here.'),
  gpuUsesTopLeftCorner: z.boolean().default(true).describe('Of no effect here.'),
  gpuScaleFactor: z.number().default(1).describe('Of no effect here.'),
});

/**
 * Draws on a copy of an image what the untagged inputs, then those tagged VECTOR, say, in order.
 *
 * node {
 *   calculator: "AnnotationOverlayCalculator"
 *   input_stream: "IMAGE:image"
 *   input_stream: "marks"
 *   output_stream: "IMAGE:output"
 * }
 */
export const annotationOverlay = defineCalculator({
  name: 'AnnotationOverlayCalculator',
  options,
  inputs: {
    IMAGE: optional(imagePacket),
    '': repeated(renderData, { min: 0 }),
    VECTOR: repeated(vectorOf(renderData), { min: 0 }),
  },
  outputs: { IMAGE: imagePacket },
  timestampOffset: 0,
  open({ options: given }) {
    return {
      process({ inputs, outputs }) {
        if (inputs.IMAGE !== undefined && inputs.IMAGE.packet === undefined) return;
        const image = canvasOf(inputs.IMAGE?.packet?.value, given);
        for (const { packet } of inputs['']) if (packet !== undefined) draw(image, packet.value);
        for (const { packet } of inputs.VECTOR) for (const each of packet?.value ?? []) draw(image, each);
        outputs.IMAGE.send(image);
      },
    };
  },
});

function canvasOf(image: Image | undefined, given: z.infer<typeof options>): Image & Canvas {
  if (image === undefined) {
    const [width, height] = [given.canvasWidthPx, given.canvasHeightPx];
    const { r, g, b } = given.canvasColor;
    const data = new Uint8Array(width * height * 3);
    for (let at = 0; at < data.length; at += 3) [data[at], data[at + 1], data[at + 2]] = [r, g, b];
    return { width, height, channels: 3, format: 'SRGB', data };
  }
  if (!(image.data instanceof Uint8Array)) {
    throw new MillraceError('WRONG_DATATYPE', `IMAGE: ${image.format} given, an image of 8 bits expected`);
  }
  return { ...image, data: image.data.slice() };
}

function draw(canvas: Canvas, { marks }: RenderData): void {
  for (const mark of marks) drawMark(canvas, mark);
}

function drawMark(canvas: Canvas, mark: Mark): void {
  const scaleX = mark.isNormalized ? canvas.width : 1;
  const scaleY = mark.isNormalized ? canvas.height : 1;
  const thickness = Math.max(1, Math.round(mark.thickness));
  const [x, y] = [(value: number) => Math.round(value * scaleX), (value: number) => Math.round(value * scaleY)];
  switch (mark.kind) {
    case 'point':
      return fillCircle(canvas, x(mark.x), y(mark.y), thickness, mark.colour);
    case 'line': {
      const { colour, endColour } = mark;
      const [x0, y0, x1, y1] = [x(mark.x0), y(mark.y0), x(mark.x1), y(mark.y1)];
      if (endColour === undefined) return drawLine(canvas, x0, y0, x1, y1, thickness, colour);
      return drawGradient(canvas, x0, y0, x1, y1, thickness, [colour, endColour]);
    }
    case 'text': {
      const fontHeight = mark.fontHeight * scaleY;
      return drawText(canvas, mark.text, x(mark.x), y(mark.y), fontHeight / (GLYPH_HEIGHT + 1), mark.colour);
    }
    case 'rectangle':
    case 'oval':
      return drawOutline(canvas, mark, scaleX, scaleY, thickness);
  }
}

const OVAL_CORNERS = 48;

/** Corners in pixels; an upright rectangle ends before its right and lower side, as OpenCV's do. */
function outlineOf(
  mark: Extract<Mark, { kind: 'rectangle' | 'oval' }>,
  scaleX: number,
  scaleY: number,
): readonly [xs: number[], ys: number[]] {
  if (mark.kind === 'rectangle' && mark.rotation === 0) {
    const [left, right] = sidesOf(mark.xCenter, mark.width, scaleX);
    const [top, bottom] = sidesOf(mark.yCenter, mark.height, scaleY);
    return [[left, right, right, left], [top, top, bottom, bottom]]; // prettier-ignore
  }
  const [cos, sin] = [Math.cos(mark.rotation), Math.sin(mark.rotation)];
  const [halfWidth, halfHeight] = [(mark.width * scaleX) / 2, (mark.height * scaleY) / 2];
  const corners =
    mark.kind === 'oval'
      ? Array.from({ length: OVAL_CORNERS }, (_, at) => {
          const angle = (2 * Math.PI * at) / OVAL_CORNERS;
          return [Math.cos(angle), Math.sin(angle)] as const;
        })
      : ([[-1, -1], [1, -1], [1, 1], [-1, 1]] as const); // prettier-ignore
  const xs = corners.map(([a, b]) => mark.xCenter * scaleX + a * halfWidth * cos - b * halfHeight * sin);
  const ys = corners.map(([a, b]) => mark.yCenter * scaleY + a * halfWidth * sin + b * halfHeight * cos);
  return [xs, ys];
}

function sidesOf(centre: number, length: number, scale: number): readonly [number, number] {
  const start = Math.round((centre - length / 2) * scale);
  return [start, Math.max(start, Math.round((centre + length / 2) * scale) - 1)];
}

function drawOutline(
  canvas: Canvas,
  mark: Extract<Mark, { kind: 'rectangle' | 'oval' }>,
  scaleX: number,
  scaleY: number,
  thickness: number,
): void {
  const [xs, ys] = outlineOf(mark, scaleX, scaleY);
  if (mark.isFilled) return fillConvex(canvas, xs, ys, mark.colour);
  xs.forEach((_, at) => {
    const next = (at + 1) % xs.length;
    const [x0, y0] = [Math.round(xs[at]!), Math.round(ys[at]!)];
    drawLine(canvas, x0, y0, Math.round(xs[next]!), Math.round(ys[next]!), thickness, mark.colour);
  });
}
