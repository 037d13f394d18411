import { MillraceError } from '../base/errors.ts';
import { DATATYPE_BYTES, type Datatype } from '../tensor/datatype.ts';
import { elementCount, tensorOf, typedData, type Tensor } from '../tensor/tensor.ts';

/** MediaPipe's image formats that OVMS maps KServe tensors to; the number is the channels. */
export const IMAGE_FORMATS = {
  GRAY8: 1,
  SRGB: 3,
  SRGBA: 4,
  GRAY16: 1,
  SRGB48: 3,
  SRGBA64: 4,
  VEC32F1: 1,
  VEC32F2: 2,
  VEC32F4: 4,
} as const;

export type ImageFormat = keyof typeof IMAGE_FORMATS;

/**
 * An uncompressed image, [height, width, channels] without padding between rows. Colours in the order RGB(A) unless its
 * maker says otherwise; 0–255, 0–65535, or for FP32 by convention 0–1. Nobody changes `data`.
 */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly format: ImageFormat;
  readonly data: Uint8Array | Uint16Array | Float32Array;
}

const FORMATS_8: Readonly<Record<number, ImageFormat>> = { 1: 'GRAY8', 3: 'SRGB', 4: 'SRGBA' };
const FORMATS_16: Readonly<Record<number, ImageFormat>> = { 1: 'GRAY16', 3: 'SRGB48', 4: 'SRGBA64' };
const FORMATS_32: Readonly<Record<number, ImageFormat>> = { 1: 'VEC32F1', 2: 'VEC32F2', 4: 'VEC32F4' };

/** Formats by datatype and channels (OVMS sheet §5.2): FP32 has no three channels, nor has anything but FP32 two. */
const FORMATS: Partial<Record<Datatype, Readonly<Record<number, ImageFormat>>>> = {
  UINT8: FORMATS_8,
  INT8: FORMATS_8,
  UINT16: FORMATS_16,
  INT16: FORMATS_16,
  FP16: FORMATS_16,
  FP32: FORMATS_32,
};

/**
 * The image that a tensor [height, width, channels] holds, over its memory where aligned. Errors have OVMS's texts.
 * @throws MillraceError WRONG_SHAPE, WRONG_BYTE_SIZE or WRONG_DATATYPE
 */
export function toImage(tensor: Tensor): Image {
  const { datatype, shape } = tensor;
  if (shape.length !== 3) {
    fail('WRONG_SHAPE', `Invalid Mediapipe Image input shape size. Expected: 3; Actual: ${shape.length}`, tensor);
  }
  const [height = 0, width = 0, channels = 0] = shape;
  checkPositive('height', height, tensor);
  checkPositive('width', width, tensor);
  checkPositive('number of channels', channels, tensor);
  const expected = elementCount(shape) * DATATYPE_BYTES[datatype];
  const format = FORMATS[datatype]?.[channels];
  if (format === undefined) {
    fail('WRONG_DATATYPE', 'Invalid KFS request datatype, conversion to Mediapipe ImageFrame format failed.', tensor);
  }
  if (tensor.data.byteLength !== expected) {
    fail(
      'WRONG_BYTE_SIZE',
      `Invalid Mediapipe Image input buffer size. Actual: ${tensor.data.byteLength}; Expected: ${expected}`,
      tensor,
    );
  }
  return { width, height, channels, format, data: pixels(tensor) };
}

/** A tensor [height, width, channels] over the image's memory: UINT8, UINT16 or FP32 by its format. */
export function fromImage(name: string, image: Image): Tensor {
  const { width, height, channels, data } = image;
  const datatype = data instanceof Float32Array ? 'FP32' : data instanceof Uint16Array ? 'UINT16' : 'UINT8';
  return tensorOf(name, datatype, [height, width, channels], data);
}

function pixels(tensor: Tensor): Image['data'] {
  const { datatype, data } = tensor;
  // Signed and half-precision pixels keep their bits, as in OVMS.
  if (datatype === 'FP32') return typedData(tensor) as Float32Array;
  return DATATYPE_BYTES[datatype] === 1 ? data : (typedData({ ...tensor, datatype: 'UINT16' }) as Uint16Array);
}

function checkPositive(what: string, actual: number, tensor: Tensor): void {
  if (actual > 0) return;
  const message = `Invalid Mediapipe Image input ${what}. Expected greater than 0; Actual: ${actual}; Expected layout - HWC.`;
  fail('WRONG_SHAPE', message, tensor);
}

function fail(reason: 'WRONG_SHAPE' | 'WRONG_BYTE_SIZE' | 'WRONG_DATATYPE', message: string, tensor: Tensor): never {
  throw new MillraceError(reason, message, { details: { tensor: tensor.name } });
}
