import { messageOf, MillraceError } from '../base/errors.ts';
import type { Image } from './image.ts';

/** The encodings of images, by their media types. */
export const IMAGE_CONTENT_TYPES = ['image/jpeg', 'image/png', 'image/webp'] as const;

export type ImageContentType = (typeof IMAGE_CONTENT_TYPES)[number];

/** Pixels of an encoded image; a few kilobytes may claim billions of them. 8192 × 8192 is 192 MiB as RGB. */
export const MAX_IMAGE_PIXELS = 8192 * 8192;

/** What a JPEG or WebP file is made with where nobody says. */
const QUALITY = 90;

export function isImageContentType(text: string): text is ImageContentType {
  return (IMAGE_CONTENT_TYPES as readonly string[]).includes(text);
}

/** What the first bytes of a file say it is; undefined for other kinds than ours. */
export function imageContentType(bytes: Uint8Array): ImageContentType | undefined {
  const starts = (at: number, ...values: number[]) => values.every((value, i) => bytes[at + i] === value);
  if (starts(0, 0xff, 0xd8, 0xff)) return 'image/jpeg';
  if (starts(0, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'image/png';
  const isRiff = starts(0, 0x52, 0x49, 0x46, 0x46);
  return isRiff && starts(8, 0x57, 0x45, 0x42, 0x50) ? 'image/webp' : undefined;
}

/**
 * Decodes a JPEG, PNG or WebP file: 8 bits, RGB, with alpha where the file has it; turned as its EXIF data say; of an
 * animation the first picture.
 * @param name of the tensor, for the error
 * @throws MillraceError MALFORMED_BYTES or REQUEST_TOO_LARGE
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<Image> {
  if (imageContentType(bytes) === undefined) throw notAnImage(name, bytes);
  const { default: sharp } = await import('sharp');
  sharp.concurrency(1);
  try {
    const { data, info } = await sharp(bytes, {
      limitInputPixels: MAX_IMAGE_PIXELS,
      failOn: 'error',
      sequentialRead: true,
    })
      .autoOrient()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3 && channels !== 4) throw new Error(`${channels} channels found, 3 or 4 expected`);
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { width, height, channels, format: channels === 3 ? 'SRGB' : 'SRGBA', data: pixels };
  } catch (error) {
    const message = messageOf(error);
    if (/pixel limit/.test(message)) throw await tooLarge(name, bytes);
    throw malformed(name, `the image cannot be decoded: ${message.split('\n').join(', ')}`, error);
  }
}

/** What is wrong with bytes that are to be an image and do not begin as one. */
export function notAnImage(name: string, bytes: Uint8Array): MillraceError {
  const start = Buffer.from(bytes.subarray(0, 6)).toString('latin1');
  const kind = start.startsWith('GIF8') ? 'a GIF' : `${bytes.byteLength} bytes of an unknown kind`;
  return malformed(name, `${kind} given, a JPEG, PNG or WebP image expected`);
}

async function tooLarge(name: string, bytes: Uint8Array): Promise<MillraceError> {
  const { default: sharp } = await import('sharp');
  const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata();
  return new MillraceError(
    'REQUEST_TOO_LARGE',
    `input '${name}': an image of ${width} × ${height} pixels given, at most ${MAX_IMAGE_PIXELS} pixels expected`,
    { details: { tensor: name, expected: MAX_IMAGE_PIXELS, actual: [width, height] } },
  );
}

function malformed(name: string, message: string, cause?: unknown): MillraceError {
  return new MillraceError('MALFORMED_BYTES', `input '${name}': ${message}`, { details: { tensor: name }, cause });
}

/**
 * Encodes an image of 8 bits, or of 16 as PNG.
 * @param quality 1–100, of JPEG and WebP
 * @throws MillraceError GRAPH_FAILED for an image that the encoding cannot hold
 */
export async function encodeImage(image: Image, contentType: ImageContentType, quality = QUALITY): Promise<Buffer> {
  const { data, width, height, channels, format } = image;
  const isFit = data instanceof Uint8Array || (data instanceof Uint16Array && contentType === 'image/png');
  if (!isFit || (channels !== 1 && channels !== 3 && channels !== 4)) {
    throw new MillraceError('GRAPH_FAILED', `an image ${format} given, one that ${contentType} can hold expected`);
  }
  const { default: sharp } = await import('sharp');
  sharp.concurrency(1);
  const encoder = sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
  if (contentType === 'image/png') {
    const colours = channels === 1 ? 'b-w' : 'srgb';
    const depth = data instanceof Uint16Array ? (channels === 1 ? 'grey16' : 'rgb16') : colours;
    return encoder.toColourspace(depth).png({ compressionLevel: 6 }).toBuffer();
  }
  if (contentType === 'image/webp') return encoder.webp({ quality }).toBuffer();
  // Huffman tables made for the picture would save 2 % of the bytes for more than half of the time.
  return encoder.jpeg({ quality, optimiseCoding: false }).toBuffer();
}
