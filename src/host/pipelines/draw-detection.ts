import { drawText, textWidth, type Canvas, type Colour } from '../../media/drawing.ts';
import type { Prediction } from '../../media/sinks/results/result-record.ts';
import { cornersOf } from '../../pipelines/common/workflow/values.ts';

/** By class. */
const COLOURS: readonly Colour[] = [
  [255, 64, 64],
  [64, 192, 64],
  [64, 128, 255],
  [255, 160, 0],
  [192, 64, 255],
  [0, 192, 192],
  [255, 96, 192],
  [160, 160, 0],
];
const WHITE: Colour = [255, 255, 255];

/** One of `colours`, of ours by default, over and over, by any number; what is none counts as 0. */
export function colourOf(index: number, colours: readonly Colour[] = COLOURS): Colour {
  const whole = Number.isFinite(index) ? Math.round(index) : 0;
  return colours[((whole % colours.length) + colours.length) % colours.length] as Colour;
}

export function drawBox(canvas: Canvas, prediction: Prediction, thickness: number, colour: Colour): void {
  const { left, top, right, bottom } = wholeCorners(prediction);
  fill(canvas, left, top, right, top + thickness, colour);
  fill(canvas, left, bottom - thickness, right, bottom, colour);
  fill(canvas, left, top, left + thickness, bottom, colour);
  fill(canvas, right - thickness, top, right, bottom, colour);
}

/** Above the box, or within it where there is no room. @param scale of the letters */
export function drawLabel(canvas: Canvas, prediction: Prediction, text: string, scale: number, colour: Colour): void {
  const { left, top } = wholeCorners(prediction);
  const height = 9 * scale;
  const bottom = top - height < 0 ? top + height : top;
  fill(canvas, left, bottom - height, left + textWidth(text, scale) + scale, bottom, colour);
  drawText(canvas, text, left + scale, bottom - scale, scale, WHITE);
}

function wholeCorners(prediction: Prediction): ReturnType<typeof cornersOf> {
  const { left, top, right, bottom } = cornersOf(prediction);
  return { left: Math.round(left), top: Math.round(top), right: Math.round(right), bottom: Math.round(bottom) };
}

/** A rectangle, the last row and column left out. */
function fill({ width, height, data }: Canvas, x0: number, y0: number, x1: number, y1: number, rgb: Colour): void {
  const [from, to] = [Math.max(0, x0), Math.min(width, x1)];
  for (let y = Math.max(0, y0); y < Math.min(height, y1); y++) {
    for (let x = from, at = (y * width + from) * 3; x < to; x++, at += 3) {
      data[at] = rgb[0];
      data[at + 1] = rgb[1];
      data[at + 2] = rgb[2];
    }
  }
}
