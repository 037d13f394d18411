import sharp from 'sharp';
import { deflateSync, crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Image } from './image.ts';
import { decodeImage, encodeImage, IMAGE_CONTENT_TYPES, imageContentType, MAX_IMAGE_PIXELS } from './image-codec.ts';

/** Smooth colours, which lossy encodings keep. */
function gradient(width: number, height: number, channels: 1 | 3 | 4): Image {
  const data = new Uint8Array(width * height * channels);
  for (let at = 0; at < data.length; at++) {
    const channel = at % channels;
    const pixel = Math.floor(at / channels);
    data[at] = channel === 3 ? 255 : channel === 1 ? Math.floor((200 * (pixel % width)) / width) : 60 + 40 * channel;
  }
  return { width, height, channels, format: ({ 1: 'GRAY8', 3: 'SRGB', 4: 'SRGBA' } as const)[channels], data };
}

const furthest = (a: Image['data'], b: Image['data']) =>
  Math.max(...Array.from(a, (value, at) => Math.abs(value - (b[at] ?? NaN))));

describe('encodeImage and decodeImage', () => {
  it.each(IMAGE_CONTENT_TYPES)('%s there and back', async (contentType) => {
    const image = gradient(40, 30, 3);
    const file = await encodeImage(image, contentType);
    expect(imageContentType(file)).toBe(contentType);
    const back = await decodeImage(file, 'image');
    expect(back).toMatchObject({ width: 40, height: 30, channels: 3, format: 'SRGB' });
    expect(furthest(back.data, image.data)).toBeLessThanOrEqual(contentType === 'image/png' ? 0 : 12);
  });

  it('keeps alpha where the encoding has it', async () => {
    const image = gradient(8, 8, 4);
    const back = await decodeImage(await encodeImage(image, 'image/png'), 'image');
    expect(back.format).toBe('SRGBA');
    expect(back.data).toEqual(image.data);
    expect(await decodeImage(await encodeImage(image, 'image/jpeg'), 'image')).toMatchObject({ format: 'SRGB' });
  });

  it('makes grey files RGB, and 16 bits 8', async () => {
    const grey = await encodeImage(gradient(8, 8, 1), 'image/png');
    const back = await decodeImage(grey, 'image');
    expect(back).toMatchObject({ format: 'SRGB' });
    expect([...back.data.subarray(0, 3)]).toEqual([60, 60, 60]);
    const deep: Image = { width: 1, height: 1, channels: 3, format: 'SRGB48', data: Uint16Array.of(65535, 32896, 0) };
    const file = await encodeImage(deep, 'image/png');
    expect((await sharp(file).metadata()).depth).toBe('ushort');
    expect([...(await decodeImage(file, 'image')).data]).toEqual([255, 128, 0]);
  });

  it('takes a lower quality for a smaller file', async () => {
    const image = {
      ...gradient(64, 64, 3),
      data: Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251),
    };
    const [low, high] = [await encodeImage(image, 'image/jpeg', 10), await encodeImage(image, 'image/jpeg', 95)];
    expect(low.length).toBeLessThan(high.length / 2);
  });

  it('turns a picture as its EXIF data say', async () => {
    const { data, width, height } = gradient(40, 30, 3);
    const file = await sharp(data, { raw: { width, height, channels: 3 } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    expect(await decodeImage(file, 'image')).toMatchObject({ width: 30, height: 40 });
  });

  it('refuses images that an encoding cannot hold', async () => {
    const floats: Image = { width: 1, height: 1, channels: 1, format: 'VEC32F1', data: Float32Array.of(1) };
    await expect(encodeImage(floats, 'image/png')).rejects.toMatchObject({ reason: 'GRAPH_FAILED' });
  });
});

describe('decodeImage refuses', () => {
  it('a truncated file', async () => {
    const file = await encodeImage(gradient(200, 200, 3), 'image/jpeg');
    await expect(decodeImage(file.subarray(0, file.length / 2), 'frame')).rejects.toMatchObject({
      reason: 'MALFORMED_BYTES',
      message: expect.stringMatching(/^input 'frame': the image cannot be decoded: /) as string,
    });
  });

  it('another kind of image, whatever it is called', async () => {
    const gif = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
      .gif()
      .toBuffer();
    await expect(decodeImage(gif, 'frame')).rejects.toMatchObject({
      reason: 'MALFORMED_BYTES',
      message: "input 'frame': a GIF given, a JPEG, PNG or WebP image expected",
    });
    await expect(decodeImage(new Uint8Array(), 'frame')).rejects.toMatchObject({ reason: 'MALFORMED_BYTES' });
  });

  it('one with far more pixels than bytes, before it takes their memory', async () => {
    const before = process.memoryUsage().rss;
    await expect(decodeImage(hugePng(50_000, 50_000), 'frame')).rejects.toMatchObject({
      reason: 'REQUEST_TOO_LARGE',
      message: `input 'frame': an image of 50000 × 50000 pixels given, at most ${MAX_IMAGE_PIXELS} pixels expected`,
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
  });
});

/** A PNG file of this size that is black; its rows are not there, which a decoder sees too late. */
function hugePng(width: number, height: number): Uint8Array {
  const chunk = (type: string, body: Buffer): Buffer => {
    const checked = Buffer.concat([Buffer.from(type, 'latin1'), body]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(body.length);
    sum.writeUInt32BE(crc32(checked));
    return Buffer.concat([length, checked, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const rows = deflateSync(Buffer.alloc(1000));
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))]);
}
