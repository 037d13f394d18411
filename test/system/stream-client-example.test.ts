import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VideoFrame } from '../../src/media/frame.ts';
import { openSource } from '../../src/media/sources/ffmpeg-source.ts';
import { PERSON, probeClip } from '../support/clips.ts';
import { freePort } from '../support/free-port.ts';
import { descendants } from '../support/leaks.ts';
import { ROOT } from '../support/paths.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const EXAMPLE = join(ROOT, 'examples/real-time-stream-analysis');

let folder: ScratchFolder;
let server: TestServer;
beforeAll(async () => {
  folder = await ScratchFolder.create();
  server = await startServer({ config: join(EXAMPLE, 'config.json') });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const COPY = (): Record<string, string> => ({ GRPC_ADDRESS: server.grpcAddress, MODEL_NAME: 'copy' });

async function script(name: string, args: readonly string[], settings = COPY()): Promise<string> {
  const env = { ...process.env, RTSP_PORT: String(await freePort()), ...settings };
  const before = new Set(descendants(process.pid).map(({ pid }) => pid));
  const { stdout } = await promisify(execFile)(join(EXAMPLE, name), args, { env, cwd: folder.path });
  expect(descendants(process.pid).filter(({ pid }) => !before.has(pid))).toEqual([]);
  return stdout;
}

it('file to file', async () => {
  const output = join(folder.path, 'output.mp4');
  expect(await script('file-to-file.sh', [output])).toContain('written: ');
  expect(await probeClip(output)).toMatchObject({ width: 640, height: 480, times: { length: 150 } });
});

it('RTSP to RTSP', async () => {
  const result = join(folder.path, 'result.mp4');
  expect(await script('rtsp-to-rtsp.sh', [result, '2'])).toContain('recorded: ');
  const { width, height, times } = await probeClip(result);
  expect([width, height]).toEqual([640, 480]);
  expect(times.length).toBeGreaterThan(5);
});

it('benchmark', async () => {
  const reports = (await script('benchmark.sh', ['--limit_frames', '20'])).trim().split('\n');
  expect(reports.map((line) => (JSON.parse(line) as { frames: number }).frames)).toEqual([20, 20, 20, 20]);
});

describe('the holistic graph', () => {
  let holistic: TestServer;
  beforeAll(async () => {
    holistic = await startServer({ config: join(ROOT, 'graphs/vision.json') });
  });
  afterAll(() => holistic.stop());

  it('file to file: face and skeleton are drawn on the person', async () => {
    const output = join(folder.path, 'holistic.mp4');
    const args = ['client', '--grpc_address', holistic.grpcAddress, '--input_stream', PERSON, '--output_stream', output]; // prettier-ignore
    await promisify(execFile)(process.execPath, ['bin/millrace.js', ...args, '--limit_frames', '5'], { cwd: ROOT });
    const [before, after] = [await frameAt(PERSON, 5), await frameAt(output, 5)];
    const { width, height } = after;
    const changed = after.data.filter((value, at) => Math.abs(value - (before.data[at] ?? 0)) > 80).length;
    // Lines of the body and points of the face; compression alone changes nothing by that much.
    expect(changed).toBeGreaterThan(2_000);
    expect(changed).toBeLessThan(width * height);
    expect(turquoise(before)).toBe(0);
    expect(turquoise(after)).toBeGreaterThan(150);
  });

  it('RTSP to RTSP: each picture that comes back has the points of the face on it', async () => {
    const result = join(folder.path, 'holistic-rtsp.mp4');
    const settings = { GRPC_ADDRESS: holistic.grpcAddress, MODEL_NAME: 'holisticTracking' };
    expect(await script('rtsp-to-rtsp.sh', [result, '2'], settings)).toContain('recorded: ');
    const { width, height, times } = await probeClip(result);
    expect([width, height]).toEqual([640, 480]);
    expect(times.length).toBeGreaterThan(0);
    for (const number of [1, times.length]) expect(turquoise(await frameAt(result, number))).toBeGreaterThan(150);
  });
});

/** Pixels of the colour of the face's points (0, 217, 231), which the photograph has nowhere. */
function turquoise({ data }: VideoFrame): number {
  let count = 0;
  for (let at = 0; at < data.length; at += 3) {
    const [red = 0, green = 0, blue = 0] = [data[at], data[at + 1], data[at + 2]];
    if (green - red > 60 && blue - red > 60) count++;
  }
  return count;
}

/** The frame with this number. */
async function frameAt(path: string, number: number): Promise<VideoFrame> {
  await using source = await openSource(path);
  for (;;) {
    const frame = await source.next();
    if (frame === undefined) throw new Error(`${path} has no frame ${number}`);
    if (frame.number === number) return frame;
  }
}

it('the README names every script, and the flags that it uses are there', async () => {
  const readme = readFileSync(join(EXAMPLE, 'README.md'), 'utf8');
  for (const name of ['file-to-file.sh', 'rtsp-to-rtsp.sh', 'benchmark.sh']) expect(readme).toContain(name);
  const { stdout } = await promisify(execFile)(process.execPath, ['bin/millrace.js', 'client', '--help'], {
    cwd: ROOT,
  });
  const texts = readme + readFileSync(join(ROOT, 'docs/stream-client.md'), 'utf8');
  const flags = [...texts.matchAll(/(?<=[\s`])--[a-z_]{3,}/g)].map(([flag]) => flag);
  const others = ['--help', '--config_path', '--hosts'];
  expect([...new Set(flags)].filter((flag) => !others.includes(flag) && !stdout.includes(`${flag} `))).toEqual([]);
});
