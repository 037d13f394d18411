import type { Canvas } from '../../../media/drawing.ts';
import type { Prediction } from '../../../media/sinks/results/result-record.ts';
import type { DrawStep } from '../../../pipelines/common/workflow/plan.ts';
import { WorkflowImage } from '../../../pipelines/common/workflow/values.ts';
import { colourOf, drawBox, drawLabel } from '../draw-detection.ts';

/** A picture with boxes or labels, in memory of its own. */
export function drawn({ picture, place }: WorkflowImage, found: readonly Prediction[], step: DrawStep): WorkflowImage {
  const { width, height } = picture;
  const data = new Uint8Array(picture.data);
  const canvas: Canvas = { width, height, channels: 3, data };
  const size = Math.max(1, Math.round(step.size));
  for (const [index, prediction] of found.entries()) {
    const colour = colourOf(step.byClass ? prediction.class_id : index, step.colours);
    if (step.what === 'boxes') drawBox(canvas, prediction, size, colour);
    else drawLabel(canvas, prediction, labelOf(prediction, index, step.text), size, colour);
  }
  return new WorkflowImage({ ...picture, data }, place);
}

/** As Roboflow's label block writes them. */
function labelOf(prediction: Prediction, index: number, text: DrawStep['text']): string {
  const { x, y, width, height, confidence } = prediction;
  switch (text) {
    case 'Class':
      return prediction.class;
    case 'Confidence':
      return confidence.toFixed(2);
    case 'Class and Confidence':
      return `${prediction.class} ${confidence.toFixed(2)}`;
    case 'Index':
      return String(index);
    case 'Dimensions':
      return `${Math.trunc(x)}, ${Math.trunc(y)} ${Math.trunc(width)}x${Math.trunc(height)}`;
    case 'Area':
      return String(Math.trunc(width * height));
  }
}
