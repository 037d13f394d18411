import { drawText, textWidth, type Canvas, type Colour } from '../../media/drawing.ts';
import type { Picture } from '../../media/frame.ts';
import type { Prediction } from '../../media/sinks/results/result-record.ts';

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

/** A picture with boxes and labels, in memory of its own; others may look at the one that was given. RGB only. */
export function annotated<P extends Picture>(picture: P, predictions: readonly Prediction[]): P {
  if (picture.format !== 'rgb24' || predictions.length === 0) return picture;
  const { width, height } = picture;
  const data = new Uint8Array(picture.data);
  const canvas: Canvas = { width, height, channels: 3, data };
  const thickness = Math.max(1, Math.round(Math.min(width, height) / 240));
  for (const found of predictions) {
    const colour = COLOURS[((found.class_id % COLOURS.length) + COLOURS.length) % COLOURS.length] as Colour;
    const [left, top] = [Math.round(found.x - found.width / 2), Math.round(found.y - found.height / 2)];
    const [right, bottom] = [Math.round(found.x + found.width / 2), Math.round(found.y + found.height / 2)];
    fill(canvas, left, top, right, top + thickness, colour);
    fill(canvas, left, bottom - thickness, right, bottom, colour);
    fill(canvas, left, top, left + thickness, bottom, colour);
    fill(canvas, right - thickness, top, right, bottom, colour);
    label(canvas, `${found.class} ${Math.round(found.confidence * 100)}%`, left, top, thickness, colour);
  }
  return { ...picture, data };
}

function label(canvas: Canvas, text: string, left: number, top: number, scale: number, colour: Colour): void {
  const height = 9 * scale;
  const at = top - height < 0 ? top + height : top;
  fill(canvas, left, at - height, left + textWidth(text, scale) + scale, at, colour);
  drawText(canvas, text, left + scale, at - scale, scale, WHITE);
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
