import { randomUUID } from 'node:crypto';
import type { Prediction } from '../../media/sinks/results/result-record.ts';
import { roundHalfEven } from '../../pipelines/common/round-half-even.ts';
import type { ModelConfiguration } from '../../pipelines/common/pipeline-schema.ts';

export { roundHalfEven };

/** A box in pixels, by its corners. */
export interface Box {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
  readonly score: number;
  readonly classId: number;
}

/** The settings of the sheet's §5 with their defaults. */
export interface Thresholds {
  readonly confidence: number;
  readonly iouThreshold: number;
  readonly isClassAgnostic: boolean;
  readonly maxDetections: number;
  readonly maxCandidates: number;
  readonly nms: 'iou' | 'roboflow';
}

export function thresholdsOf(given: ModelConfiguration): Thresholds {
  return {
    confidence: given.confidence ?? 0.4,
    iouThreshold: given.iou_threshold ?? 0.3,
    isClassAgnostic: given.class_agnostic_nms ?? false,
    maxDetections: given.max_detections ?? 300,
    maxCandidates: given.max_candidates ?? 3000,
    nms: given.nms ?? 'iou',
  };
}

/**
 * Leaves out boxes that a better one covers: greedy, the best first, of one class or of all. By `iou`, what counts is
 * intersection over union, and only the best `maxCandidates` are looked at. By `roboflow`, intersection over the area of the
 * worse box, with one pixel added to each side, and `maxCandidates` has no effect (sheet §5).
 * @returns the best first, at most `maxDetections`
 */
export function suppress(boxes: readonly Box[], thresholds: Thresholds): Box[] {
  const { iouThreshold, isClassAgnostic, maxDetections, maxCandidates, nms } = thresholds;
  const sorted = boxes.toSorted((a, b) => b.score - a.score);
  const candidates = nms === 'roboflow' ? sorted : sorted.slice(0, maxCandidates);
  const overlap = nms === 'roboflow' ? overWorse : overUnion;
  const kept: Box[] = [];
  for (const candidate of candidates) {
    if (kept.length === maxDetections) break;
    const isCovered = kept.some(
      (better) =>
        (isClassAgnostic || better.classId === candidate.classId) && overlap(better, candidate) > iouThreshold,
    );
    if (!isCovered) kept.push(candidate);
  }
  return kept;
}

function overUnion(a: Box, b: Box): number {
  const both = shared(a, b, 0);
  const union = area(a, 0) + area(b, 0) - both;
  return union > 0 ? both / union : 0;
}

function overWorse(better: Box, worse: Box): number {
  return shared(better, worse, 1) / area(worse, 1);
}

const area = ({ x1, y1, x2, y2 }: Box, extra: number): number => (x2 - x1 + extra) * (y2 - y1 + extra);

function shared(a: Box, b: Box, extra: number): number {
  const across = Math.max(0, Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1) + extra);
  return across * Math.max(0, Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1) + extra);
}

/** @param isRounded corners in whole pixels, so centres end in .0 or .5, as Roboflow's */
export function toPrediction(box: Box, classNames: readonly string[], isRounded: boolean): Prediction {
  const round = isRounded ? roundHalfEven : (value: number): number => value;
  const [x1, y1, x2, y2] = [round(box.x1), round(box.y1), round(box.x2), round(box.y2)];
  return {
    x: (x1 + x2) / 2,
    y: (y1 + y2) / 2,
    width: x2 - x1,
    height: y2 - y1,
    confidence: box.score,
    class: classNames[box.classId] ?? String(box.classId),
    class_id: box.classId,
    detection_id: randomUUID(),
  };
}
