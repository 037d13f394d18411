import { MillraceError } from '../base/errors.ts';
import { jpegSize, type Picture } from '../media/frame.ts';
import { decodeBytes } from '../tensor/bytes.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';

const FORMATS: Readonly<Record<number, 'gray' | 'rgb24' | 'rgba'>> = { 1: 'gray', 3: 'rgb24', 4: 'rgba' };

/**
 * The picture in a tensor: UINT8 [height, width, 1, 3 or 4], with or without a leading 1, or one JPEG in BYTES.
 * @throws MillraceError WRONG_DATATYPE, WRONG_SHAPE
 */
export function pictureOf(tensor: Tensor, color: 'rgb' | 'bgr'): Picture {
  const { name, datatype, shape, data } = tensor;
  if (datatype === 'BYTES') return jpegOf(tensor);
  const [height = 0, width = 0, channels = 0] = shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape;
  const format = FORMATS[channels];
  const isPicture = format !== undefined && elementCount(shape) === height * width * channels && height * width > 0;
  if (datatype !== 'UINT8' || !isPicture) {
    throw new MillraceError(
      'WRONG_SHAPE',
      `output "${name}": ${datatype} [${shape.join(',')}] is no picture: UINT8 [height,width,3] or one JPEG as BYTES expected; a postprocess callback makes pictures of anything else`,
      { details: { tensor: name } },
    );
  }
  return { width, height, format: format === 'rgb24' && color === 'bgr' ? 'bgr24' : format, data };
}

function jpegOf({ name, shape, data }: Tensor): Picture {
  const elements = decodeBytes(data, elementCount(shape), name);
  const [jpeg] = elements;
  const size = jpeg === undefined ? undefined : jpegSize(jpeg);
  if (jpeg === undefined || size === undefined || elements.length !== 1) {
    throw new MillraceError(
      'WRONG_DATATYPE',
      `output "${name}": ${elements.length} BYTES elements, one JPEG expected`,
      {
        details: { tensor: name },
      },
    );
  }
  return { ...size, format: 'jpeg', data: jpeg };
}
