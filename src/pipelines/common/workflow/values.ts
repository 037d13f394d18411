import type { Picture } from '../../../media/frame.ts';
import type { Prediction } from '../../../media/sinks/results/result-record.ts';

/** Where a picture lies in its frame. */
export interface Place {
  /** Of the frame, or the detection that was cut out. */
  readonly parentId: string;
  /** Of its top left corner, in pixels of the frame. */
  readonly left: number;
  readonly top: number;
}

/** A picture of a workflow: the frame, a part of it, or one with something drawn into it. RGB. */
export class WorkflowImage {
  readonly picture: Picture;
  readonly place: Place;

  constructor(picture: Picture, place: Place) {
    this.picture = picture;
    this.place = place;
  }
}

/** What a step found in a picture, in pixels of that. */
export class Detections {
  readonly predictions: readonly Prediction[];
  /** Of the picture. */
  readonly width: number;
  readonly height: number;
  readonly place: Place;

  constructor(
    predictions: readonly Prediction[],
    size: { readonly width: number; readonly height: number },
    place: Place,
  ) {
    this.predictions = predictions;
    this.width = size.width;
    this.height = size.height;
    this.place = place;
  }

  with(predictions: readonly Prediction[]): Detections {
    return new Detections(predictions, this, this.place);
  }
}

/** One of them, as a filter looks at it. */
export class Detection {
  readonly prediction: Prediction;

  constructor(prediction: Prediction) {
    this.prediction = prediction;
  }
}

/** Corners, in pixels. */
export function cornersOf({ x, y, width, height }: Prediction): {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
} {
  return { left: x - width / 2, top: y - height / 2, right: x + width / 2, bottom: y + height / 2 };
}

/** As Roboflow's serialiser of detections writes them, the keys in its order (sheet §5). @param isOwn else in pixels of the frame of this size */
export function detectionsJson(
  { predictions, width, height, place }: Detections,
  isOwn: boolean,
  frame: { readonly width: number; readonly height: number; readonly id: string },
): object {
  const [left, top] = isOwn ? [0, 0] : [place.left, place.top];
  return {
    image: isOwn ? { width, height } : { width: frame.width, height: frame.height },
    predictions: predictions.map((found) => ({
      width: found.width,
      height: found.height,
      x: found.x + left,
      y: found.y + top,
      confidence: found.confidence,
      class_id: found.class_id,
      class: found.class,
      detection_id: found.detection_id,
      parent_id: isOwn ? place.parentId : frame.id,
    })),
  };
}
