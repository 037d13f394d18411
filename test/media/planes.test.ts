import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { VideoFrame } from '../../src/media/frame.ts';
import { openSource, type SourceOptions } from '../../src/media/sources/ffmpeg-source.ts';
import { toRgb } from '../../src/media/yuv.ts';
import { ffmpeg, PERSON } from '../support/clips.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';

let folder: ScratchFolder;
beforeAll(async () => {
  folder = await ScratchFolder.create();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

async function firstFrame(file: string, pixels: SourceOptions['pixels']): Promise<VideoFrame> {
  await using source = await openSource(file, { pixels });
  const frame = await source.next();
  if (frame === undefined) throw new Error('a frame expected');
  return frame;
}

/** Of a copy of the clip with other properties. */
async function copyOf(name: string, ...args: string[]): Promise<string> {
  const path = join(folder.path, name);
  await ffmpeg('-i', PERSON, '-frames:v', '5', '-c:v', 'libx264', '-preset', 'ultrafast', ...args, path);
  return path;
}

it.each([
  ['BT.601', []],
  ['BT.709', ['-vf', 'scale=out_color_matrix=bt709,format=yuv420p', '-colorspace', 'bt709']],
])('planes of %s have the colours that ffmpeg gives them', async (name, args) => {
  const file = await copyOf(`${name}.mp4`, '-pix_fmt', 'yuv420p', ...args);
  const planes = await firstFrame(file, 'yuv420p');
  expect(planes).toMatchObject({ format: 'yuv420p', width: 640, height: 480, isBt709: name === 'BT.709' });
  expect(planes.data.length).toBe(640 * 480 * 1.5);
  const [ours, theirs] = [toRgb(planes).data, (await firstFrame(file, 'rgb24')).data];
  const differences = ours.map((value, i) => Math.abs(value - (theirs[i] as number)));
  expect(differences.reduce((sum, each) => sum + each, 0) / differences.length).toBeLessThan(1.5);
});

it.each([
  ['odd sides', ['-vf', 'scale=321:241,format=yuv444p']],
  ['the full range', ['-vf', 'scale=out_range=pc,format=yuvj420p']],
  ['colour of every pixel', ['-pix_fmt', 'yuv444p']],
])('a video with %s comes as RGB', async (name, args) => {
  const file = await copyOf(`${name}.mp4`, ...args);
  const { format, width, height, data } = await firstFrame(file, 'yuv420p');
  expect(format).toBe('rgb24');
  expect(data.length).toBe(width * height * 3);
});

it('a frame that was released lends its memory to a later one, others keep theirs', async () => {
  await using source = await openSource(PERSON, { pixels: 'yuv420p' });
  const [first, second] = [await source.next(), await source.next()];
  const kept = Buffer.from(second?.data ?? []);
  first?.release?.();
  first?.release?.();
  const later: VideoFrame[] = [];
  for (let i = 0; i < 10; i++) later.push((await source.next()) as VideoFrame);
  expect(later.filter(({ data }) => data === first?.data).length).toBe(1);
  expect(kept.equals(second?.data as Uint8Array)).toBe(true);
});
