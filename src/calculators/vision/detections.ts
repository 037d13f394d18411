import type { Letterbox } from '../packet-types.ts';

/** Numbers in a row of detections: x1, y1, x2, y2 in source pixels, score 0–1, class index. */
export const DETECTION_SIZE = 6;

export interface DetectionLimits {
  readonly scoreThreshold: number;
  /** A box that overlaps a better one of its class by more (intersection over union) is dropped. */
  readonly iouThreshold: number;
  readonly maxDetections: number;
}

/**
 * Finds the boxes in a YOLOv8 output; keeps its working memory, so one instance per node.
 *
 * The output is [4 + classes, anchors]: rows of centre x, centre y, width, height in pixels of the model's input, then a
 * score for each class.
 */
export class DetectionDecoder {
  readonly #limits: DetectionLimits;
  #best = new Float32Array(0);
  #classes = new Int32Array(0);

  constructor(limits: DetectionLimits) {
    this.#limits = limits;
  }

  /** @returns [detections, 6], the best first, cut to the source image; memory of its own */
  decode(output: Float32Array, rows: number, anchors: number, letterbox: Letterbox): Float32Array {
    const candidates = this.#candidates(output, rows, anchors);
    const { iouThreshold, maxDetections } = this.#limits;
    const kept: number[] = [];
    for (const candidate of candidates) {
      if (kept.length === maxDetections) break;
      const isCovered = kept.some(
        (better) =>
          this.#classes[better] === this.#classes[candidate] &&
          overlap(output, anchors, better, candidate) > iouThreshold,
      );
      if (!isCovered) kept.push(candidate);
    }
    const result = new Float32Array(kept.length * DETECTION_SIZE);
    kept.forEach((anchor, at) => {
      writeBox(result, at * DETECTION_SIZE, output, anchors, anchor, letterbox);
      result[at * DETECTION_SIZE + 4] = this.#best[anchor] ?? 0;
      result[at * DETECTION_SIZE + 5] = this.#classes[anchor] ?? 0;
    });
    return result;
  }

  /** Anchors whose best class reaches the threshold, the best first. */
  #candidates(output: Float32Array, rows: number, anchors: number): number[] {
    if (this.#best.length !== anchors) {
      this.#best = new Float32Array(anchors);
      this.#classes = new Int32Array(anchors);
    }
    const best = this.#best.fill(-Infinity);
    const classes = this.#classes;
    for (let row = 4; row < rows; row++) {
      const start = row * anchors;
      for (let anchor = 0; anchor < anchors; anchor++) {
        const score = output[start + anchor] ?? 0;
        if (score > (best[anchor] ?? 0)) {
          best[anchor] = score;
          classes[anchor] = row - 4;
        }
      }
    }
    const found: number[] = [];
    for (let anchor = 0; anchor < anchors; anchor++) {
      if ((best[anchor] ?? 0) >= this.#limits.scoreThreshold) found.push(anchor);
    }
    return found.sort((a, b) => (best[b] ?? 0) - (best[a] ?? 0));
  }
}

/** Intersection over union of two anchors' boxes. */
function overlap(output: Float32Array, anchors: number, a: number, b: number): number {
  const across = shared(output, anchors, 0, a, b);
  const down = shared(output, anchors, 1, a, b);
  const both = across * down;
  const areaA = (output[2 * anchors + a] ?? 0) * (output[3 * anchors + a] ?? 0);
  const areaB = (output[2 * anchors + b] ?? 0) * (output[3 * anchors + b] ?? 0);
  const union = areaA + areaB - both;
  return union > 0 ? both / union : 0;
}

/** Length that two boxes share along an axis: 0 across, 1 down. */
function shared(output: Float32Array, anchors: number, axis: number, a: number, b: number): number {
  const [centreA, centreB] = [output[axis * anchors + a] ?? 0, output[axis * anchors + b] ?? 0];
  const [halfA, halfB] = [(output[(axis + 2) * anchors + a] ?? 0) / 2, (output[(axis + 2) * anchors + b] ?? 0) / 2];
  return Math.max(0, Math.min(centreA + halfA, centreB + halfB) - Math.max(centreA - halfA, centreB - halfB));
}

function writeBox(
  result: Float32Array,
  at: number,
  output: Float32Array,
  anchors: number,
  anchor: number,
  { width, height, scaleX, scaleY, left, top }: Letterbox,
): void {
  const x = output[anchor] ?? 0;
  const y = output[anchors + anchor] ?? 0;
  const halfWidth = (output[2 * anchors + anchor] ?? 0) / 2;
  const halfHeight = (output[3 * anchors + anchor] ?? 0) / 2;
  result[at] = clamp((x - halfWidth - left) / scaleX, width);
  result[at + 1] = clamp((y - halfHeight - top) / scaleY, height);
  result[at + 2] = clamp((x + halfWidth - left) / scaleX, width);
  result[at + 3] = clamp((y + halfHeight - top) / scaleY, height);
}

const clamp = (value: number, high: number): number => Math.min(Math.max(value, 0), high);
