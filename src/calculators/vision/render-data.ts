import { PacketType } from '../../graph/index.ts';
import type { Colour } from '../../media/drawing.ts';

interface Drawn {
  readonly colour: Colour;
  /** In pixels of the picture; rounded, at least 1. */
  readonly thickness: number;
  /** Coordinates are shares of the picture, else pixels. */
  readonly isNormalized: boolean;
}

/** A filled circle whose radius is the thickness. */
interface PointMark extends Drawn {
  readonly kind: 'point';
  readonly x: number;
  readonly y: number;
}

interface LineMark extends Drawn {
  readonly kind: 'line';
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
  /** That at (x1, y1), where it changes on the way. */
  readonly endColour?: Colour;
}

/** Turned about its centre by `rotation` radians, clockwise. */
interface RectangleMark extends Drawn {
  readonly kind: 'rectangle' | 'oval';
  readonly xCenter: number;
  readonly yCenter: number;
  readonly width: number;
  readonly height: number;
  readonly rotation: number;
  readonly isFilled: boolean;
}

/** (x, y) is the left end of the base line; `fontHeight` is in pixels, or a share of the picture's height. */
interface TextMark extends Drawn {
  readonly kind: 'text';
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly fontHeight: number;
}

export type Mark = PointMark | LineMark | RectangleMark | TextMark;

/** What AnnotationOverlay draws, in order. */
export interface RenderData {
  readonly sceneClass?: string;
  readonly marks: readonly Mark[];
}

export const renderData = new PacketType<RenderData>(
  'RenderData',
  (value) => typeof value === 'object' && value !== null && Array.isArray((value as Partial<RenderData>).marks),
);
