import type { Canvas } from '../../media/drawing.ts';
import type { Picture } from '../../media/frame.ts';
import type { Prediction } from '../../media/sinks/results/result-record.ts';
import { colourOf, drawBox, drawLabel } from './draw-detection.ts';

/** A picture with boxes and labels, in memory of its own; others may look at the one that was given. RGB only. */
export function annotated<P extends Picture>(picture: P, predictions: readonly Prediction[]): P {
  if (picture.format !== 'rgb24' || predictions.length === 0) return picture;
  const { width, height } = picture;
  const data = new Uint8Array(picture.data);
  const canvas: Canvas = { width, height, channels: 3, data };
  const thickness = Math.max(1, Math.round(Math.min(width, height) / 240));
  for (const found of predictions) {
    const colour = colourOf(found.class_id);
    drawBox(canvas, found, thickness, colour);
    drawLabel(canvas, found, `${found.class} ${Math.round(found.confidence * 100)}%`, thickness, colour);
  }
  return { ...picture, data };
}
