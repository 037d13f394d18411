/** Cases of holistic tracking that MediaPipe's own engine has answered, and how answers are compared; see `holistic/README.md`. */
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import type { Landmark, Rect } from '../../src/calculators/message-types.ts';
import type { Image } from '../../src/media/image.ts';
import { ROOT } from './paths.ts';

export interface TrueRect {
  readonly x_center: number;
  readonly y_center: number;
  readonly width: number;
  readonly height: number;
  /** Radians. */
  readonly rotation: number;
}

export interface Truth {
  readonly side_packets: Readonly<Record<string, boolean | number>>;
  readonly outputs: Readonly<Record<string, TrueRect | readonly (readonly number[])[]>>;
}

export interface Sequence {
  readonly side_packets: Truth['side_packets'];
  readonly frames: readonly { readonly timestamp: number; readonly outputs: Truth['outputs'] }[];
}

const IN = 'holisticlandmarkcpu__';
/** Streams of the expanded graph by the names that the cases have. */
export const STREAMS: Readonly<Record<string, string>> = {
  pose_rect: `${IN}poselandmarkcpu__roi`,
  pose_rect_from_detection: `${IN}poselandmarkcpu__detected_roi`,
  pose_landmarks_roi: 'pose_roi',
  pose_unfiltered: `${IN}poselandmarkcpu__raw_landmarks`,
  pose_landmarks: 'pose',
  pose_world_landmarks: 'pose_world',
  face_roi_from_pose: `${IN}face__pose_roi`,
  face_roi_from_detection: `${IN}face__detection_roi`,
  face_tracking_roi: `${IN}face__tracking_roi`,
  face_landmarks: 'face',
  ...handStreams('left'),
  ...handStreams('right'),
};

function handStreams(side: 'left' | 'right'): Record<string, string> {
  return {
    [`${side}_hand_roi_from_pose`]: `${IN}${side}_hand__pose_roi`,
    [`${side}_hand_roi_from_recrop`]: `${IN}${side}_hand__recrop_roi`,
    [`${side}_hand_tracking_roi`]: `${IN}${side}_hand__tracking_roi`,
    [`${side}_hand_landmarks`]: `${side}_hand`,
  };
}

const SIDE_PACKETS = ['model_complexity', 'smooth_landmarks', 'refine_face_landmarks', 'use_prev_landmarks'];

/** Side packets of our graph, of those that a case has. */
export function sidePackets(of: Truth['side_packets']): Record<string, unknown> {
  return Object.fromEntries(SIDE_PACKETS.map((name) => [name, of[name]]));
}

/** One file of `test/conformance/holistic`. */
export async function cases<T>(file: string): Promise<Record<string, T>> {
  return JSON.parse(await readFile(`${ROOT}/test/conformance/holistic/${file}`, 'utf8')) as Record<string, T>;
}

/** The largest difference in pixels (metres of world landmarks); of rectangles, also that of the turned edges. */
export function difference(found: unknown, truth: Truth['outputs'][string], image: Image, name: string): number {
  const [width, height] = name.includes('world') ? [1, 1] : [image.width, image.height];
  if (!Array.isArray(truth)) {
    const [a, b] = [found as Rect, truth as TrueRect];
    return Math.max(
      Math.abs(a.xCenter - b.x_center) * width,
      Math.abs(a.yCenter - b.y_center) * height,
      Math.abs(a.width - b.width) * width,
      Math.abs(a.height - b.height) * height,
      (Math.abs((a.rotation ?? 0) - b.rotation) * b.width * width) / 2,
    );
  }
  const points = found as readonly Landmark[];
  const right = truth as readonly (readonly number[])[];
  expect(points.length, name).toBe(right.length);
  return Math.max(
    ...right.map(([x = NaN, y = NaN], at) => {
      const point = points[at];
      return Math.max(Math.abs((point?.x ?? NaN) - x) * width, Math.abs((point?.y ?? NaN) - y) * height);
    }),
  );
}

/** Pixels: three times what an independent implementation reaches; metres of world landmarks. */
const MARKS = { face: 0.21, pose_world: 0.0009, pose: 0.3, hand: 0.63 };

/**
 * The recropped region of the right hand, light model, and what follows from it: both hands are outside the picture there, and the
 * model for the recrop makes 0.9 pixels of the 0.1 by which the region that it is given differs. The independent implementation is at
 * 0.881 as well; from MediaPipe's own region it is at 0.006.
 */
const UNSEEN_HAND = { outputs: ['right_hand_roi_from_recrop', 'right_hand_tracking_roi'], mark: 0.95 };

/** The largest difference that an output may have. */
export function mark(name: string, configuration = 'full'): number {
  if (configuration === 'lite' && UNSEEN_HAND.outputs.includes(name)) return UNSEEN_HAND.mark;
  const kind = (['face', 'pose_world', 'pose'] as const).find((prefix) => name.startsWith(prefix)) ?? 'hand';
  return MARKS[kind];
}
