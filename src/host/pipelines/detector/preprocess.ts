import type { Picture } from '../../../media/frame.ts';
import { toRgb } from '../../../media/yuv.ts';
import type { Preprocessing } from '../../../pipelines/common/detector-info.ts';
import type { Box } from '../boxes.ts';
import { roundHalfEven } from '../boxes.ts';
import { cut, equalize, grey, stretchContrast, type Rgb } from './pixels.ts';
import type { Size } from './plane-scaler.ts';
import { Scaler, YuvScaler } from './scaler.ts';

/** Where a frame's pixels lie in a model's input. */
export interface Placement {
  /** Of the crop in the frame. */
  readonly left: number;
  readonly top: number;
  /** Of the crop. */
  readonly width: number;
  readonly height: number;
  /** Input pixels for one of the crop. */
  readonly scaleX: number;
  readonly scaleY: number;
  /** Of the crop in the input. */
  readonly padX: number;
  readonly padY: number;
}

const PAD: Readonly<Record<string, number>> = {
  'Fit (black edges) in': 0,
  'Fit (white edges) in': 255,
  'Fit (grey edges) in': 114,
};

/**
 * Makes frames a model's input: crop, contrast, grey, resize, RGB planes 0–1 (sheet §5). Keeps its tables while frames have one
 * size; one instance per source.
 */
export class Preprocessor {
  readonly #options: Preprocessing;
  readonly #width: number;
  readonly #height: number;
  #scaler: Scaler | undefined;
  #yuvScaler: YuvScaler | undefined;

  /** @param width of the picture in the model's input; what is beyond is left as it is */
  constructor(options: Preprocessing, width: number, height: number) {
    this.#options = options;
    this.#width = width;
    this.#height = height;
  }

  /**
   * @param frame RGB, or planes where `takesPlanes`
   * @param values [3, inputHeight, inputWidth], zeros or what an earlier frame of the same size left; written in place
   * @returns how the frame lies in it
   */
  apply(frame: Picture, values: Float32Array, inputWidth: number, inputHeight: number): Placement {
    const { staticCrop, contrast, grayscale, resize } = this.#options;
    const [left, top, right, bottom] = cropOf(frame, staticCrop);
    const size = { width: right - left, height: bottom - top };
    const placed = fit(size, this.#width, this.#height, resize);
    let scaled: Rgb;
    if (frame.format === 'yuv420p' && takesPlanes(this.#options) && !isSame(size, placed)) {
      scaled = this.#scalePlanes(frame, placed);
    } else {
      let picture = cut(toRgb(frame), left, top, right, bottom);
      if (contrast === 'Contrast Stretching') picture = stretchContrast(picture);
      if (contrast === 'Histogram Equalization') picture = equalize(picture);
      if (grayscale === true) picture = grey(picture);
      scaled = this.#scale(picture, placed);
    }
    const pad = PAD[resize];
    if (pad !== undefined) fillPlanes(values, inputWidth, inputHeight, this.#width, this.#height, pad / 255);
    toPlanes(scaled, values, inputWidth, inputHeight, placed.x, placed.y);
    const { scaleX, scaleY, padX, padY } = placed;
    return { left, top, ...size, scaleX, scaleY, padX, padY };
  }

  #scale(picture: Rgb, { width, height }: Size): Rgb {
    if (this.#scaler === undefined || !isSame(this.#scaler.source, picture)) {
      const source = { width: picture.width, height: picture.height };
      this.#scaler = new Scaler(source, { width, height }, this.#isCubic);
    }
    return this.#scaler.apply(picture);
  }

  #scalePlanes(frame: Picture, { width, height }: Size): Rgb {
    if (this.#yuvScaler === undefined || !isSame(this.#yuvScaler.source, frame)) {
      const source = { width: frame.width, height: frame.height };
      this.#yuvScaler = new YuvScaler(source, { width, height }, this.#isCubic);
    }
    return this.#yuvScaler.apply(frame);
  }

  get #isCubic(): boolean {
    return this.#options.resize === 'Stretch to';
  }
}

/** Whether frames are best given as the decoder's planes: nothing but scaling is done to them. */
export function takesPlanes({ staticCrop, contrast, grayscale }: Preprocessing): boolean {
  return staticCrop === undefined && contrast === undefined && grayscale !== true;
}

function isSame(one: Size, other: Size): boolean {
  return one.width === other.width && one.height === other.height;
}

/** Percent, truncated to whole pixels; at least one. */
function cropOf({ width, height }: Size, crop: Preprocessing['staticCrop']): [number, number, number, number] {
  if (crop === undefined) return [0, 0, width, height];
  const at = (percent: number, side: number): number => Math.min(Math.max(Math.trunc((percent / 100) * side), 0), side);
  const [left, top] = [Math.min(at(crop.x_min, width), width - 1), Math.min(at(crop.y_min, height), height - 1)];
  return [left, top, Math.max(at(crop.x_max, width), left + 1), Math.max(at(crop.y_max, height), top + 1)];
}

interface Placed {
  /** Of the scaled picture. */
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
  readonly scaleX: number;
  readonly scaleY: number;
  /** As Roboflow's undoing has it: of a rounded size, so up to a pixel from `x` and `y`. */
  readonly padX: number;
  readonly padY: number;
}

function fit({ width, height }: Size, toWidth: number, toHeight: number, resize: Preprocessing['resize']): Placed {
  if (resize === 'Stretch to') {
    const [scaleX, scaleY] = [toWidth / width, toHeight / height];
    return { width: toWidth, height: toHeight, x: 0, y: 0, scaleX, scaleY, padX: 0, padY: 0 };
  }
  const scale = Math.min(toWidth / width, toHeight / height);
  const cutOff = (side: number): number => Math.max(1, Math.trunc(side * scale));
  const [scaledWidth, scaledHeight] = [cutOff(width), cutOff(height)];
  return {
    width: scaledWidth,
    height: scaledHeight,
    // The odd pixel is at the right and the bottom.
    x: Math.floor((toWidth - scaledWidth) / 2),
    y: Math.floor((toHeight - scaledHeight) / 2),
    scaleX: scale,
    scaleY: scale,
    padX: (toWidth - roundHalfEven(width * scale)) / 2,
    padY: (toHeight - roundHalfEven(height * scale)) / 2,
  };
}

function fillPlanes(
  values: Float32Array,
  inputWidth: number,
  inputHeight: number,
  width: number,
  height: number,
  value: number,
): void {
  for (let plane = 0; plane < 3; plane++) {
    for (let y = 0; y < height; y++) {
      const start = (plane * inputHeight + y) * inputWidth;
      values.fill(value, start, start + width);
    }
  }
}

/** Of 255, by byte. */
const SHARE = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

function toPlanes(
  { width, height, data }: Rgb,
  values: Float32Array,
  inputWidth: number,
  inputHeight: number,
  left: number,
  top: number,
): void {
  const plane = inputWidth * inputHeight;
  for (let y = 0, at = 0; y < height; y++) {
    let to = (top + y) * inputWidth + left;
    for (let x = 0; x < width; x++, to++, at += 3) {
      values[to] = SHARE[data[at]!]!;
      values[to + plane] = SHARE[data[at + 1]!]!;
      values[to + 2 * plane] = SHARE[data[at + 2]!]!;
    }
  }
}

/** A box of the model's input in pixels of the frame, cut to the crop. */
export function undo(box: Box, placement: Placement, isRounded: boolean): Box {
  const { left, top, width, height, scaleX, scaleY, padX, padY } = placement;
  const round = isRounded ? roundHalfEven : (value: number): number => value;
  const x = (value: number): number => round(Math.min(Math.max((value - padX) / scaleX, 0), width)) + left;
  const y = (value: number): number => round(Math.min(Math.max((value - padY) / scaleY, 0), height)) + top;
  return { ...box, x1: x(box.x1), y1: y(box.y1), x2: x(box.x2), y2: y(box.y2) };
}
