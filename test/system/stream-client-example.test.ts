import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
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

async function script(name: string, ...args: string[]): Promise<string> {
  const env = {
    ...process.env,
    GRPC_ADDRESS: server.grpcAddress,
    MODEL_NAME: 'copy',
    RTSP_PORT: String(await freePort()),
  };
  const before = new Set(descendants(process.pid).map(({ pid }) => pid));
  const { stdout } = await promisify(execFile)(join(EXAMPLE, name), args, { env, cwd: folder.path });
  expect(descendants(process.pid).filter(({ pid }) => !before.has(pid))).toEqual([]);
  return stdout;
}

it('file to file', async () => {
  const output = join(folder.path, 'output.mp4');
  expect(await script('file-to-file.sh', output)).toContain('written: ');
  expect(await probeClip(output)).toMatchObject({ width: 640, height: 480, times: { length: 150 } });
});

it('RTSP to RTSP', async () => {
  const result = join(folder.path, 'result.mp4');
  expect(await script('rtsp-to-rtsp.sh', result, '2')).toContain('recorded: ');
  const { width, height, times } = await probeClip(result);
  expect([width, height]).toEqual([640, 480]);
  expect(times.length).toBeGreaterThan(5);
});

it('benchmark', async () => {
  const reports = (await script('benchmark.sh', '--limit_frames', '20')).trim().split('\n');
  expect(reports.map((line) => (JSON.parse(line) as { frames: number }).frames)).toEqual([20, 20, 20, 20]);
});

it('the skeleton is drawn on the person', async () => {
  await using holistic = await startServer({ config: join(ROOT, 'graphs/vision.json') });
  const output = join(folder.path, 'holistic.mp4');
  const args = ['client', '--grpc_address', holistic.grpcAddress, '--input_stream', PERSON, '--output_stream', output];
  await promisify(execFile)(process.execPath, ['bin/millrace.js', ...args, '--limit_frames', '5'], { cwd: ROOT });
  const [before, after] = [await frameAt(PERSON, 5), await frameAt(output, 5)];
  const { width, height } = after;
  const changed = after.data.filter((value, at) => Math.abs(value - (before.data[at] ?? 0)) > 80).length;
  // Lines of the body and points of the face; compression alone changes nothing by that much.
  expect(changed).toBeGreaterThan(2_000);
  expect(changed).toBeLessThan(width * height);
});

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
  const others = ['--help', '--config_path'];
  expect([...new Set(flags)].filter((flag) => !others.includes(flag) && !stdout.includes(`${flag} `))).toEqual([]);
});
