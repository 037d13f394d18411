import { describe, expect, it } from 'vitest';
import { DetectionDecoder } from './detections.ts';
import { fit } from './letterbox.ts';

const limits = { scoreThreshold: 0.4, iouThreshold: 0.5, maxDetections: 10 };

/** [4 + classes, anchors] of anchors given as [cx, cy, w, h, ...scores]. */
function outputOf(anchors: number[][]): [Float32Array, number, number] {
  const rows = anchors[0]?.length ?? 0;
  const output = new Float32Array(rows * anchors.length);
  anchors.forEach((anchor, at) => anchor.forEach((value, row) => (output[row * anchors.length + at] = value)));
  return [output, rows, anchors.length];
}

function decode(anchors: number[][], letterbox = fit(100, 100, 100, 100), more = {}): number[][] {
  const flat = new DetectionDecoder({ ...limits, ...more }).decode(...outputOf(anchors), letterbox);
  return Array.from({ length: flat.length / 6 }, (_, at) =>
    [...flat.subarray(at * 6, at * 6 + 6)].map((value) => Math.round(value * 1000) / 1000),
  );
}

describe('DetectionDecoder', () => {
  it('gives the best class of each box, the best box first', () => {
    const found = decode([
      [20, 20, 10, 10, 0.1, 0.6],
      [60, 60, 20, 20, 0.9, 0.2],
      [80, 80, 10, 10, 0.3, 0.39],
    ]);
    expect(found).toEqual([
      [50, 50, 70, 70, 0.9, 0],
      [15, 15, 25, 25, 0.6, 1],
    ]);
  });

  it('drops what overlaps a better box of its class, and keeps another class there', () => {
    const found = decode([
      [50, 50, 20, 20, 0.7, 0],
      [51, 50, 20, 20, 0.9, 0],
      [52, 50, 20, 20, 0, 0.8],
      [75, 50, 20, 20, 0.6, 0],
    ]);
    expect(found.map((row) => row.slice(4))).toEqual([
      [0.9, 0],
      [0.8, 1],
      [0.6, 0],
    ]);
  });

  it('gives source pixels, cut to the image', () => {
    const letterbox = fit(200, 100, 100, 100); // half size, 25 rows of grey above and below
    expect(decode([[50, 30, 20, 20, 1]], letterbox)).toEqual([[80, 0, 120, 30, 1, 0]]);
  });

  it('keeps at most so many', () => {
    const anchors = [1, 2, 3, 4].map((at) => [at * 20, 50, 5, 5, 0.5 + at / 10]);
    expect(decode(anchors, undefined, { maxDetections: 2 }).map((row) => row[4])).toEqual([0.9, 0.8]);
  });

  it('finds nothing in an empty output', () => {
    expect(decode([[0, 0, 0, 0, 0]])).toEqual([]);
  });

  it('can be used again with fewer anchors', () => {
    const decoder = new DetectionDecoder(limits);
    const square = fit(100, 100, 100, 100);
    expect(decoder.decode(...outputOf([[9, 9, 2, 2, 1], [50, 50, 2, 2, 1]]), square)).toHaveLength(12); // prettier-ignore
    expect(decoder.decode(...outputOf([[9, 9, 2, 2, 0.1]]), square)).toHaveLength(0);
  });
});
