import { expect, test } from 'vitest';
import { roundHalfEven, suppress, thresholdsOf, toPrediction, type Box } from './boxes.ts';

const box = (x1: number, y1: number, x2: number, y2: number, score: number, classId = 0): Box => ({
  x1,
  y1,
  x2,
  y2,
  score,
  classId,
});

test("Roboflow's overlap removes a small box inside a large one; true IoU keeps it (sheet §5)", () => {
  const boxes = [box(0, 0, 100, 100, 0.9), box(10, 10, 40, 40, 0.8)];
  expect(suppress(boxes, thresholdsOf({ nms: 'roboflow' }))).toHaveLength(1);
  expect(suppress(boxes, thresholdsOf({ nms: 'iou' }))).toHaveLength(2);
});

test('boxes of other classes count only where NMS is class agnostic', () => {
  const boxes = [box(0, 0, 10, 10, 0.9, 0), box(0, 0, 10, 10, 0.8, 1)];
  expect(suppress(boxes, thresholdsOf({}))).toHaveLength(2);
  expect(suppress(boxes, thresholdsOf({ class_agnostic_nms: true }))).toHaveLength(1);
});

test('max_candidates has no effect in their way, and one in ours; max_detections cuts both', () => {
  const boxes = [1, 2, 3, 4].map((i) => box(i * 100, 0, i * 100 + 10, 10, i / 10));
  expect(suppress(boxes, thresholdsOf({ nms: 'roboflow', max_candidates: 1 }))).toHaveLength(4);
  expect(suppress(boxes, thresholdsOf({ max_candidates: 1 }))).toHaveLength(1);
  const best = suppress(boxes, thresholdsOf({ nms: 'roboflow', max_detections: 2 }));
  expect(best.map(({ score }) => score)).toEqual([0.4, 0.3]);
});

test('corners are rounded half to even, so centres end in .0 or .5', () => {
  expect([0.5, 1.5, 2.5, -0.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 0, 2, 3]);
  const found = toPrediction(box(10.5, 11.5, 20.4, 30.6, 0.7, 3), ['a', 'b'], true);
  expect(found).toMatchObject({ x: 15, y: 21.5, width: 10, height: 19, confidence: 0.7, class: '3', class_id: 3 });
  expect(found.detection_id).toMatch(/^[0-9a-f-]{36}$/);
});
