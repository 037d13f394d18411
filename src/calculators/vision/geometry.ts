import type { ImageSize, Rect } from '../message-types.ts';
import type { Region } from '../../media/crop.ts';

/** An angle brought to −π … π. */
export function normalizeRadians(angle: number): number {
  return angle - 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI));
}

/** Rotation of what points from one point to another, both in pixels, against the direction that it should have. */
export function rotationBetween(x0: number, y0: number, x1: number, y1: number, target: number): number {
  return normalizeRadians(target - Math.atan2(-(y1 - y0), x1 - x0));
}

export const radians = (degrees: number): number => (degrees * Math.PI) / 180;

export function makeRect(xCenter: number, yCenter: number, width: number, height: number, rotation: number): Rect {
  return { xCenter, yCenter, width, height, rotation };
}

/** A normalized rectangle in pixels of an image. */
export function regionOf(rect: Rect, [width, height]: ImageSize): Region {
  return {
    x: rect.xCenter * width,
    y: rect.yCenter * height,
    width: rect.width * width,
    height: rect.height * height,
    rotation: rect.rotation ?? 0,
  };
}

/** The whole of an image. */
export function wholeRegion([width, height]: ImageSize): Region {
  return { x: width / 2, y: height / 2, width, height, rotation: 0 };
}

/**
 * The 4×4 matrix, by rows, that takes points of a region (0–1 across and down) to points of the image (0–1), as MediaPipe's
 * ImageToTensor gives it; z is scaled as x.
 */
export function projectionMatrix(region: Region, [imageWidth, imageHeight]: ImageSize): number[] {
  const { x, y, width: a, height: b, rotation } = region;
  const cos = Math.cos(rotation);
  const sin = Math.sin(rotation);
  return [
    (a * cos) / imageWidth,
    (-b * sin) / imageWidth,
    0,
    (-0.5 * a * cos + 0.5 * b * sin + x) / imageWidth,
    (a * sin) / imageHeight,
    (b * cos) / imageHeight,
    0,
    (-0.5 * b * cos - 0.5 * a * sin + y) / imageHeight,
    0,
    0,
    a / imageWidth,
    0,
    0,
    0,
    0,
    1,
  ];
}
