/** Families of detectors by the layout of their outputs (sheet §5). */
export const DETECTOR_FAMILIES = ['yolov5', 'yolov8', 'yolov10', 'yolo26', 'yolo-nas'] as const;

export type DetectorFamily = (typeof DETECTOR_FAMILIES)[number];

export type ResizeFormat = 'Stretch to' | 'Fit (black edges) in' | 'Fit (white edges) in' | 'Fit (grey edges) in';

export interface StaticCrop {
  /** Percent of the frame. */
  readonly x_min: number;
  readonly y_min: number;
  readonly x_max: number;
  readonly y_max: number;
}

export type Contrast = 'Contrast Stretching' | 'Histogram Equalization' | 'Adaptive Equalization';

/** What happens to a frame before the model sees it (`PREPROCESSING` of Roboflow's environment.json). */
export interface Preprocessing {
  readonly staticCrop?: StaticCrop | undefined;
  readonly contrast?: Contrast | undefined;
  readonly grayscale?: boolean | undefined;
  readonly resize: ResizeFormat;
  /** Used where the model's own height and width are not fixed. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** How a detector is fed and read. */
export interface DetectorInfo {
  /** Undefined: told by the shapes of its outputs. */
  readonly family?: DetectorFamily | undefined;
  readonly classNames: readonly string[];
  readonly preprocessing: Preprocessing;
}
