import { PacketType } from '../graph/index.ts';
import { vectorOf } from './core/packet-types.ts';

/** A rotated rectangle; `rotation` in radians, clockwise on the screen. Normalized ones count in widths and heights of the image. */
export interface Rect {
  readonly xCenter: number;
  readonly yCenter: number;
  readonly width: number;
  readonly height: number;
  readonly rotation?: number;
  /** Whose it is, from image to image; nothing where nobody has said. */
  readonly id?: number;
}

/** A point; normalized ones count in widths and heights of the image, others in metres. */
export interface Landmark {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  /** 0–1, or nothing where a model does not tell. */
  readonly visibility?: number;
  readonly presence?: number;
}

/** A point at another place, with the visibility and presence that it has. There are hundreds in a frame: cheaper than a spread. */
export function placed({ visibility, presence }: Landmark, x: number, y: number, z: number): Landmark {
  if (visibility === undefined) return presence === undefined ? { x, y, z } : { x, y, z, presence };
  return presence === undefined ? { x, y, z, visibility } : { x, y, z, visibility, presence };
}

export interface Classification {
  readonly index: number;
  readonly score: number;
  readonly label?: string;
  readonly displayName?: string;
}

/** Something found in an image; the box and key points count in widths and heights of the image. */
export interface Detection {
  readonly classes: readonly Classification[];
  readonly xMin: number;
  readonly yMin: number;
  readonly width: number;
  readonly height: number;
  readonly keyPoints?: readonly { readonly x: number; readonly y: number }[];
  /** The same from image to image for the same thing; nothing where nobody has said. */
  readonly id?: number;
}

/** Width and height of an image in pixels. */
export type ImageSize = readonly [width: number, height: number];

/** Numbers by columns, as in MediaPipe. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/** What is known of an audio or other series beside its samples; rates in Hz. */
export interface TimeSeriesHeader {
  readonly sampleRate?: number;
  readonly numChannels?: number;
  readonly numSamples?: number;
  readonly packetRate?: number;
  readonly audioSampleRate?: number;
}

export const rect = typeWith<Rect>('Rect', 'xCenter');
export const normalizedRect = typeWith<Rect>('NormalizedRect', 'xCenter');
export const landmark = typeWith<Landmark>('Landmark', 'x');
export const normalizedLandmark = typeWith<Landmark>('NormalizedLandmark', 'x');
export const classification = typeWith<Classification>('Classification', 'score');
export const detection = typeWith<Detection>('Detection', 'xMin');
export const matrix = typeWith<Matrix>('Matrix', 'rows');
export const imageSize = new PacketType<ImageSize>(
  'std::pair<int, int>',
  (value) => Array.isArray(value) && value.length === 2 && value.every((side) => Number.isSafeInteger(side)),
);
export const timeSeriesHeader = new PacketType<TimeSeriesHeader>(
  'TimeSeriesHeader',
  (value) => typeof value === 'object' && value !== null,
);

/** Lists are packets by themselves, unlike vectors, and have a name of their own. */
export const landmarkList = listOf('LandmarkList', landmark);
export const normalizedLandmarkList = listOf('NormalizedLandmarkList', normalizedLandmark);
export const classificationList = listOf('ClassificationList', classification);
export const detectionList = listOf('DetectionList', detection);

function typeWith<T>(name: string, field: keyof T & string): PacketType<T> {
  return new PacketType(name, (value) => typeof value === 'object' && value !== null && field in value);
}

function listOf<T>(name: string, element: PacketType<T>): PacketType<readonly T[]> {
  const vector = vectorOf(element);
  return new PacketType(name, (value) => vector.accepts(value));
}
