import type { Picture } from '../../media/frame.ts';
import { encodeImage } from '../../media/image-codec.ts';

const QUALITY = 80;

/** A picture as a JPEG file. @param quality 1 to 100; of a picture that is a JPEG already nothing changes */
export async function encodeJpeg({ width, height, format, data }: Picture, quality = QUALITY): Promise<Uint8Array> {
  if (format === 'jpeg') return data;
  if (format !== 'rgb24') throw new Error(`${format} picture given, rgb24 expected`);
  return encodeImage({ width, height, channels: 3, format: 'SRGB', data }, 'image/jpeg', quality);
}
