import type { Picture } from '../../media/frame.ts';

const QUALITY = 80;

/** A picture as a JPEG file. sharp is loaded with the first one. */
export async function encodeJpeg({ width, height, format, data }: Picture): Promise<Uint8Array> {
  if (format === 'jpeg') return data;
  if (format !== 'rgb24') throw new Error(`${format} picture given, rgb24 expected`);
  const { default: sharp } = await import('sharp');
  sharp.concurrency(1);
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: QUALITY })
    .toBuffer();
}
