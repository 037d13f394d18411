/**
 * Many frames through graphs with models: no memory, descriptor, socket or process is kept. LEAK_FRAMES says how many frames in
 * place of some hundreds, e.g. 10000.
 */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { encodeBytes, GrpcClient } from '../../src/client/index.ts';
import { openDescriptors, openSockets, residentMiB } from '../support/leaks.ts';
import { ROOT } from '../support/paths.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const FRAMES = Number(process.env['LEAK_FRAMES'] ?? 0);
const FRAMES_PER_STREAM = 25;
const UNDER_WAY = 4;
/** Until the heaps of all processes have their size: the front's after some 2,500 frames, of which a short run does not wait. */
const WARM_UP_STREAMS = Math.max(6, FRAMES / FRAMES_PER_STREAM / 4);
/** The heaps grow and shrink by some of this; 200 frames of which one picture or tensor of a pose is kept are 150 or more. */
const LIMIT_MIB = 90;

let server: TestServer;
let picture: Uint8Array;
beforeAll(async () => {
  picture = await readFile(`${ROOT}/test/fixtures/media/person.png`);
  server = await startServer({ config: `${ROOT}/graphs/vision.json`, flags: ['--hosts', '1'] });
});
afterAll(() => server.stop());

const processes = (): number[] => [server.pid, ...server.children().map(({ pid }) => pid)];
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** One stream of frames, a few of them under way at a time; each is answered with a drawn picture. */
async function streamFrames(model: string, input: string): Promise<void> {
  using client = new GrpcClient({ address: server.grpcAddress });
  using stream = client.stream();
  const inputs = [{ name: input, datatype: 'BYTES' as const, shape: [1], data: encodeBytes([picture]) }];
  const outputs = [{ name: 'output', parameters: { content_type: 'image/jpeg' } }];
  let [sent, answered] = [0, 0];
  const send = async (): Promise<void> => {
    if (sent === FRAMES_PER_STREAM) stream.halfClose();
    else await stream.send({ model, id: String(sent), inputs, outputs });
    sent++;
  };
  for (let at = 0; at < UNDER_WAY; at++) await send();
  for await (const { response, error } of stream) {
    if (error !== undefined) throw error;
    if (!response.outputs.some(({ name }) => name === 'output')) continue;
    answered++;
    if (sent <= FRAMES_PER_STREAM) await send();
  }
  expect(answered).toBe(FRAMES_PER_STREAM);
}

/** @returns resident MiB of all processes, the least after one of the last streams: garbage is collected now and then */
async function memoryAfter(streams: number, model: string, input: string): Promise<number> {
  const samples: number[] = [];
  for (let at = 0; at < streams; at++) {
    await streamFrames(model, input);
    samples.push(sum(processes().map(residentMiB)));
  }
  return Math.min(...samples.slice(-4));
}

it.each([
  ['holisticTracking', 'first_input_video', FRAMES || 200],
  ['faceDetection', 'image', FRAMES || 600],
] as const)(
  '%s keeps nothing of its frames',
  async (model, input, frames) => {
    const before = await memoryAfter(WARM_UP_STREAMS, model, input);
    const pids = processes();
    const handles = (): number => sum(pids.map(openDescriptors));
    await vi.waitFor(() => expect(openSockets(server.pid)).toBeLessThan(20), { timeout: 20_000 });
    const open = handles();

    const after = await memoryAfter(Math.ceil(frames / FRAMES_PER_STREAM), model, input);

    console.log(`${model}: ${frames} frames, ${before.toFixed(0)} MiB before, ${after.toFixed(0)} after`);
    expect(after - before).toBeLessThan(LIMIT_MIB);
    expect(processes()).toEqual(pids);
    await vi.waitFor(() => expect(handles()).toBeLessThanOrEqual(open), { timeout: 20_000 });
  },
  600_000 + FRAMES * 1000,
);
