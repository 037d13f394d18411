/** Holistic tracking as a client sees it: encoded frames in, encoded pictures and points out. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeBytes, encodeBytes, GrpcClient, type ClientRequest, type Tensor } from '../../src/client/index.ts';
import { decodeImage, encodeImage } from '../../src/media/image-codec.ts';
import { ROOT } from '../support/paths.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

let server: TestServer;
let photo: Uint8Array;
beforeAll(async () => {
  photo = await readFile(`${ROOT}/test/fixtures/media/astronaut.png`);
  server = await startServer({ config: `${ROOT}/graphs/vision.json`, flags: ['--hosts', '1'] });
});
afterAll(() => server.stop());

const file = (bytes: Uint8Array): Tensor => ({ name: 'first_input_video', datatype: 'BYTES', shape: [1], data: encodeBytes([bytes]) }); // prettier-ignore
const JPEG = [{ name: 'output', parameters: { content_type: 'image/jpeg', quality: 80n } }];

function request(id: string, bytes: Uint8Array, more: Partial<ClientRequest> = {}): ClientRequest {
  return { model: 'holisticTracking', id, inputs: [file(bytes)], outputs: JPEG, ...more };
}

it('a stream of encoded frames: pictures and points come back; a broken frame costs only itself', async () => {
  using client = new GrpcClient({ address: server.grpcAddress });
  using stream = client.stream();
  const parameters = { smooth_landmarks: false };
  const frames = [photo, photo.subarray(0, 5000), new Uint8Array([0x47, 0x49, 0x46, 0x38, 0x39, 0x61]), photo];
  for (const [at, frame] of frames.entries()) await stream.send(request(String(at), frame, { parameters }));
  stream.halfClose();

  const found = new Map<string, string[]>();
  const refused: string[] = [];
  const pictures: Tensor[] = [];
  for await (const { response, error } of stream) {
    if (error !== undefined) refused.push(error.message);
    else {
      const names = response.outputs.map(({ name }) => name);
      found.set(response.id, [...(found.get(response.id) ?? []), ...names].toSorted());
      pictures.push(...response.outputs.filter(({ name }) => name === 'output'));
    }
  }
  const all = ['face_landmarks', 'output', 'pose_landmarks', 'pose_world_landmarks'];
  expect(Object.fromEntries(found)).toEqual({ 0: all, 3: all });
  const faults = refused.map((message) => /cannot be decoded|a GIF given/.exec(message)?.[0] ?? message);
  expect(new Set(faults)).toEqual(new Set(['a GIF given', 'cannot be decoded']));
  expect(refused).toHaveLength(2);
  expect(pictures.map(({ datatype, shape }) => [datatype, shape])).toEqual([['BYTES', [1]], ['BYTES', [1]]]); // prettier-ignore

  const [jpeg] = decodeBytes(pictures[0]!.data, 1, 'output');
  const [drawn, original] = [await decodeImage(jpeg!, 'output'), await decodeImage(photo, 'photo')];
  expect([drawn.width, drawn.height]).toEqual([512, 512]);
  // The face has turquoise points on it, the corner of the picture is as it was.
  const at = (x: number, y: number) => (y * 512 + x) * 3;
  let turquoise = 0;
  for (let y = 70; y < 180; y++)
    for (let x = 180; x < 275; x++) if (drawn.data[at(x, y) + 2]! - drawn.data[at(x, y)]! > 60) turquoise++;
  expect(turquoise).toBeGreaterThan(300);
  expect(Math.abs(drawn.data[at(500, 5)]! - original.data[at(500, 5)]!)).toBeLessThan(30);
});

it('the mask of the person, where it is asked for', async () => {
  using client = new GrpcClient({ address: server.grpcAddress });
  const parameters = { enable_segmentation: true };
  const { outputs } = await client.infer(request('a', photo, { parameters, outputs: [{ name: 'segmentation_mask' }] }));
  const [mask] = outputs;
  expect(outputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([['segmentation_mask', 'FP32', [512, 512, 1]]]); // prettier-ignore
  const at = (x: number, y: number): number => Buffer.from(mask!.data).readFloatLE(4 * (512 * y + x));
  expect(at(230, 120)).toBeGreaterThan(0.95);
  expect(at(500, 5)).toBeLessThan(0.05);

  const without = await client.infer(request('b', photo, { outputs: undefined }));
  expect(without.outputs.map(({ name }) => name)).not.toContain('segmentation_mask');
});

it('a picture without a person: unary gets the picture and no points', async () => {
  using client = new GrpcClient({ address: server.grpcAddress });
  const empty = {
    width: 160,
    height: 120,
    channels: 3,
    format: 'SRGB',
    data: new Uint8Array(160 * 120 * 3).fill(99),
  } as const;
  const png = await encodeImage(empty, 'image/png');
  const { outputs } = await client.infer(request('a', png, { outputs: undefined }));
  expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([['output', [120, 160, 3]]]);
  expect(Buffer.from(outputs[0]!.data).equals(Buffer.from(empty.data))).toBe(true);
});

it('what is no image cannot be asked for as a file: that request is refused, the stream goes on', async () => {
  using client = new GrpcClient({ address: server.grpcAddress });
  const points = { name: 'pose_landmarks', parameters: { content_type: 'image/png' } };
  const message =
    /output 'pose_landmarks': parameter content_type: "image\/png" given, none expected: only IMAGE outputs/;
  const refused = { status: 'INVALID_ARGUMENT', message: expect.stringMatching(message) as string };
  await expect(client.infer(request('a', photo, { outputs: [points] }))).rejects.toMatchObject(refused);

  using stream = client.stream();
  await stream.send(request('b', photo));
  await stream.send(request('c', photo, { outputs: [...JPEG, points] }));
  await stream.send(request('d', photo));
  stream.halfClose();
  const faults: string[] = [];
  const answered = new Set<string>();
  for await (const { response, error } of stream) {
    if (error === undefined) answered.add(response.id);
    else faults.push(error.message);
  }
  expect(faults).toEqual([expect.stringMatching(message)]);
  expect([...answered]).toEqual(['b', 'd']);
});
