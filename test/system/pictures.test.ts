/**
 * What the shipped graphs draw looks like the pictures of `docs/images`. Where it should look different now:
 * `UPDATE_PICTURES=1 npx vitest run test/system/pictures.test.ts` writes them anew; look at them.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeBytes, encodeBytes, GrpcClient } from '../../src/client/index.ts';
import { decodeImage } from '../../src/media/image-codec.ts';
import type { Image } from '../../src/media/image.ts';
import { tensorOf, typedData } from '../../src/tensor/tensor.ts';
import { ROOT } from '../support/paths.ts';
import { pictureDistance } from '../support/picture-distance.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const MEDIA = join(ROOT, 'test/fixtures/media');
const PICTURES = join(ROOT, 'docs/images');
/** As in the documentation. */
const HEIGHT = 360;

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ config: `${ROOT}/graphs/vision.json`, flags: ['--hosts', '1'] });
});
afterAll(() => server.stop());

/** As it is shown in the documentation. */
async function shown(file: Uint8Array): Promise<Buffer> {
  return sharp(file).resize({ height: HEIGHT }).jpeg({ quality: 80, mozjpeg: true }).toBuffer();
}

/** `test/fixtures/shapes-scene.rgb`. */
const scene = { width: 200, height: 150, pixels: await readFile(join(ROOT, 'test/fixtures/shapes-scene.rgb')) };

/** As a file, so much larger. */
async function sceneFile(times: number): Promise<Buffer> {
  const { width, height, pixels } = scene;
  const plain = sharp(pixels, { raw: { width, height, channels: 3 } });
  return plain
    .resize({ width: times * width })
    .png()
    .toBuffer();
}

/** @param original what was sent, with nothing drawn on it */
async function expectToLookAs(name: string, drawn: Uint8Array, original: Uint8Array): Promise<void> {
  const path = join(PICTURES, `${name}.jpg`);
  const now = await shown(drawn);
  if (process.env['UPDATE_PICTURES'] !== undefined) await writeFile(path, now);
  const [picture, found, nothing] = await Promise.all([readFile(path), now, shown(original)].map(async (file) => decodeImage(await file, name))) as [Image, Image, Image]; // prettier-ignore
  expect(pictureDistance(found, picture)).toBeLessThan(4);
  expect(pictureDistance(nothing, picture), 'to the original').toBeGreaterThan(8);
}

it.each([
  ['holisticTracking', 'first_input_video', 'person.png'],
  ['poseTracking', 'image', 'person.png'],
  ['faceDetection', 'image', 'astronaut.png'],
  ['faceMesh', 'image', 'astronaut.png'],
  ['irisTracking', 'image', 'astronaut.png'],
  ['handTracking', 'image', 'hand.jpg'],
  ['selfieSegmentation', 'image', 'astronaut.png'],
])('%s draws as in its picture', async (model, input, file) => {
  await expectToDrawAsBefore(model, input, await readFile(join(MEDIA, file)));
});

it('objectDetection draws as in its picture', async () => {
  // Larger than it is, that names can be read.
  await expectToDrawAsBefore('objectDetection', 'image', await sceneFile(4));
});

async function expectToDrawAsBefore(model: string, input: string, original: Uint8Array): Promise<void> {
  using client = new GrpcClient({ address: server.grpcAddress });
  const { outputs } = await client.infer({
    model,
    inputs: [{ name: input, datatype: 'BYTES', shape: [1], data: encodeBytes([original]) }],
    outputs: [{ name: 'output', parameters: { content_type: 'image/png' } }],
  });
  const [drawn] = decodeBytes(outputs[0]?.data ?? new Uint8Array(), 1, 'output');
  await expectToLookAs(model, drawn ?? new Uint8Array(), original);
}

it('detect finds what is framed in its picture', async () => {
  await using shapes = await startServer();
  using client = new GrpcClient({ address: shapes.grpcAddress });
  const { width, height, pixels } = scene;
  const image = tensorOf('image', 'UINT8', [height, width, 3], new Uint8Array(pixels));
  const { outputs } = await client.infer({ model: 'detect', inputs: [image] });
  const numbers = [...typedData(outputs[0] ?? image)].map(Number);
  const boxes = Array.from({ length: numbers.length / 6 }, (_, at) => {
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0, , kind = 0] = numbers.slice(6 * at, 6 * at + 6);
    const colour = ['#ff00ff', '#ff8a00', '#00e5ff'][kind];
    return `<rect x="${x1}" y="${y1}" width="${x2 - x1}" height="${y2 - y1}" fill="none" stroke="${colour}" stroke-width="2"/>`;
  });
  const original = await sceneFile(1);
  const frames = Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${boxes.join('')}</svg>`,
  );
  await expectToLookAs(
    'detect',
    await sharp(original)
      .composite([{ input: frames }])
      .png()
      .toBuffer(),
    original,
  );
});
