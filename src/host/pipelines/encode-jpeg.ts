import type { Picture } from '../../media/frame.ts';
import { encodeImage } from '../../media/image-codec.ts';

const QUALITY = 80;

/** A picture as a JPEG file. */
export async function encodeJpeg({ width, height, format, data }: Picture): Promise<Uint8Array> {
  if (format === 'jpeg') return data;
  if (format !== 'rgb24') throw new Error(`${format} picture given, rgb24 expected`);
  return encodeImage({ width, height, channels: 3, format: 'SRGB', data }, 'image/jpeg', QUALITY);
}
