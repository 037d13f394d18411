import type { Picture } from '../../../media/frame.ts';
import { roundHalfEven } from '../../../pipelines/common/round-half-even.ts';
import type { Prediction } from '../../../media/sinks/results/result-record.ts';
import { cornersOf, WorkflowImage } from '../../../pipelines/common/workflow/values.ts';

/** The part of a picture that a detection covers; undefined where that is outside of it, or empty. RGB only. */
export function cutOut(image: WorkflowImage, prediction: Prediction): WorkflowImage | undefined {
  const { picture, place } = image;
  const corners = cornersOf(prediction);
  const inside = (value: number, side: number): number => Math.min(Math.max(roundHalfEven(value), 0), side);
  const [left, right] = [inside(corners.left, picture.width), inside(corners.right, picture.width)];
  const [top, bottom] = [inside(corners.top, picture.height), inside(corners.bottom, picture.height)];
  if (right <= left || bottom <= top) return undefined;
  return new WorkflowImage(part(picture, left, top, right - left, bottom - top), {
    parentId: prediction.detection_id,
    left: place.left + left,
    top: place.top + top,
  });
}

function part({ width: stride, data }: Picture, left: number, top: number, width: number, height: number): Picture {
  const cut = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * stride + left) * 3;
    cut.set(data.subarray(from, from + width * 3), y * width * 3);
  }
  return { width, height, format: 'rgb24', data: cut };
}
