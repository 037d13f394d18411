import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DATATYPE_BYTES, DATATYPES } from '../../src/tensor/datatype.ts';
import { encodeBytes } from '../../src/tensor/bytes.ts';
import { tensorOf, typedData } from '../../src/tensor/tensor.ts';
import { ROOT } from '../support/paths.ts';
import { RawStream } from '../support/raw-stream.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const fixture = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(`${ROOT}/test/fixtures/${name}`, 'utf8')) as T;

describe('what is shipped', () => {
  it('anomaly: scores of chunks on one stream are those of Python with the state passed along', async () => {
    const { signal, scores, chunks } = await fixture<{ signal: number[]; scores: number[]; chunks: number[] }>(
      'anomaly.json',
    );
    const stream = new RawStream(server.grpcAddress, 'anomaly');
    let at = 0;
    for (const length of chunks) {
      const values = Float32Array.from(signal.slice(at, at + length));
      stream.send([tensorOf('signal', 'FP32', [1, length], values)], { id: `at ${at}` });
      at += length;
    }
    expect(await stream.end()).toBe(0);
    const got = stream.responses.flatMap(({ outputs }) =>
      outputs.flatMap((tensor) => [...(typedData(tensor) as Float32Array)]),
    );
    expect(got).toHaveLength(scores.length);
    got.forEach((score, i) => expect(score).toBeCloseTo(scores[i] as number, 4));
    expect(stream.responses[1]).toMatchObject({ id: `at ${chunks[0]}`, parameters: { OVMS_MP_TIMESTAMP: 1n } });
  });

  it('detect: finds the shapes of a scene, over REST with binary data', async () => {
    type Scene = { width: number; height: number; shapes: { name: string; box: number[] }[] };
    const { width, height, shapes } = await fixture<Scene>('shapes-scene.json');
    const pixels = await readFile(`${ROOT}/test/fixtures/shapes-scene.rgb`);
    const parameters = { binary_data_size: pixels.length };
    const head = JSON.stringify({
      inputs: [{ name: 'image', datatype: 'UINT8', shape: [height, width, 3], parameters }],
    });
    const reply = await fetch(`${server.restUrl}/v2/models/detect/infer`, {
      method: 'POST',
      headers: { 'Inference-Header-Content-Length': String(head.length) },
      body: Buffer.concat([Buffer.from(head), pixels]),
    });
    const { outputs } = (await reply.json()) as { outputs: { name: string; shape: number[]; data: number[] }[] };
    expect(outputs[0]).toMatchObject({ name: 'detections', shape: [shapes.length, 6] });
    const classes = ['circle', 'square', 'triangle'];
    const found = Array.from({ length: shapes.length }, (_, i) => classes[outputs[0]?.data[i * 6 + 5] as number] ?? '');
    expect(found.toSorted()).toEqual(shapes.map(({ name }) => name).toSorted());
  });

  it('identity: every datatype comes back bit for bit on a stream', async () => {
    const stream = new RawStream(server.grpcAddress, 'identity');
    for (const datatype of DATATYPES) {
      const data =
        datatype === 'BYTES'
          ? encodeBytes(['', 'a\0b', Buffer.from([255, 254])])
          : Buffer.from(Array.from({ length: 3 * DATATYPE_BYTES[datatype] }, (_, i) => (i * 37 + 1) & 255));
      stream.send([{ name: 'INPUT0', datatype, shape: [3], data }]);
    }
    expect(await stream.end()).toBe(0);
    expect(stream.responses.map(({ outputs }) => outputs[0]?.datatype)).toEqual(DATATYPES);
    stream.responses.forEach(({ outputs }, i) =>
      expect(Buffer.from(outputs[0]?.data ?? [])).toEqual(Buffer.from(stream.sent[i]?.[0]?.data ?? [])),
    );
  });
});
