import { readFileSync } from 'node:fs';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jpegSize, type VideoFrame } from '../../src/media/frame.ts';
import { openSource, type SourceOptions } from '../../src/media/sources/ffmpeg-source.ts';
import { damage, ffmpeg, makeClip, makeResizedClip, PERSON } from '../support/clips.ts';
import { descendants } from '../support/leaks.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { until } from '../support/until.ts';

let folder: ScratchFolder;
beforeAll(async () => {
  folder = await ScratchFolder.create();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  expect(descendants(process.pid)).toEqual([]);
});
const path = (name: string): string => join(folder.path, name);

async function read(source: string, options: SourceOptions = {}): Promise<VideoFrame[]> {
  await using opened = await openSource(source, options);
  const frames: VideoFrame[] = [];
  for (let frame = await opened.next(); frame !== undefined; frame = await opened.next()) frames.push(frame);
  return frames;
}

describe('a file', () => {
  it('gives every frame once, in order, with its time and pixels', async () => {
    await using source = await openSource(PERSON);
    expect(source.properties).toMatchObject({
      width: 640,
      height: 480,
      fps: 30,
      frames: 150,
      durationMs: 5000,
      isLive: false,
    });
    const frames = await read(PERSON);
    expect(frames.map(({ number }) => number)).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
    expect(frames.map(({ timestampUs }) => timestampUs)).toEqual(
      Array.from({ length: 150 }, (_, i) => Math.round((i * 1e6) / 30)),
    );
    expect(frames.every(({ data }) => data.length === 640 * 480 * 3)).toBe(true);
    // Grey at the edge, the order of colours by a patch of the orange suit in the middle.
    expect([...(frames[0] as VideoFrame).data.subarray(0, 3)]).toEqual([128, 128, 128]);
  });

  it('gives the pixels that ffmpeg decodes, RGB or BGR', async () => {
    const clip = await makeClip(path('pixels.mp4'), { frames: 3 });
    await ffmpeg('-i', clip, '-f', 'rawvideo', '-pix_fmt', 'rgb24', path('pixels.rgb'));
    const rgb = await read(clip);
    expect(Buffer.concat(rgb.map(({ data }) => data)).equals(await readFile(path('pixels.rgb')))).toBe(true);
    const bgr = await read(clip, { pixels: 'bgr24' });
    const [r, g, b] = (rgb[0] as VideoFrame).data;
    expect([...(bgr[0] as VideoFrame).data.subarray(0, 3)]).toEqual([b, g, r]);
  });

  it('gives JPEGs that ffmpeg made', async () => {
    const frames = await read(PERSON, { pixels: 'jpeg' });
    expect(frames).toHaveLength(150);
    expect(frames.map(({ data }) => jpegSize(data))).toEqual(frames.map(() => ({ width: 640, height: 480 })));
    expect(frames.every(({ data }) => data.at(-2) === 0xff && data.at(-1) === 0xd9)).toBe(true);
  });

  it('keeps times that are not regular', async () => {
    const clip = path('vfr.mkv');
    await ffmpeg(
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=160x120:rate=30:duration=2',
      '-vf',
      "select='not(mod(n,7))+eq(n,3)'",
      '-vsync',
      'vfr',
      clip,
    );
    const times = (await read(clip)).map(({ timestampUs }) => Math.round(timestampUs / 1000));
    expect(times.slice(0, 4)).toEqual([0, 100, 233, 467]);
  });

  it('scales to the size that was asked for, with bars', async () => {
    const [frame] = await read(await makeClip(path('wide.mp4'), { size: '320x160', frames: 2 }), {
      size: { width: 64, height: 64 },
    });
    expect(frame).toMatchObject({ width: 64, height: 64 });
    expect([...(frame?.data.subarray(0, 3) ?? [])]).toEqual([0, 0, 0]);
  });

  it('has the size in which a turned video is shown', async () => {
    const clip = path('turned.mp4');
    await ffmpeg(
      '-i',
      await makeClip(path('flat.mp4'), { frames: 3 }),
      '-c',
      'copy',
      '-metadata:s:v:0',
      'rotate=90',
      clip,
    );
    const [frame] = await read(clip);
    expect(frame).toMatchObject({ width: 240, height: 320 });
    expect(frame?.data.length).toBe(240 * 320 * 3);
  });

  it('keeps its size when that of the video changes in the middle', async () => {
    const frames = await read(await makeResizedClip(folder.path));
    expect(frames.length).toBeGreaterThanOrEqual(55);
    expect(frames.every(({ data }) => data.length === 320 * 240 * 3)).toBe(true);
    const jpegs = await read(path('both.ts'), { pixels: 'jpeg' });
    expect(jpegs.every(({ data }) => jpegSize(data)?.width === 320)).toBe(true);
  });

  it('is decoded no further ahead of its reader than its buffer', async () => {
    await using source = await openSource(PERSON, { buffer: { capacity: 3, whenFull: 'wait', take: 'next' } });
    await source.next();
    await until(() => source.counts.captured >= 3);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(source.counts.captured).toBeLessThanOrEqual(6);
  });
});

describe('bad files', () => {
  it.each<[string, string, () => Promise<string>]>([
    ['that are not there', 'not_found', () => Promise.resolve(path('nothing.mp4'))],
    [
      'that are text',
      'unreadable',
      async () => (await writeFile(path('text.mp4'), 'no video at all\n'.repeat(50)), path('text.mp4')),
    ],
    [
      'that ffmpeg would draw as a terminal',
      'no_video',
      async () => (await writeFile(path('notes.txt'), 'notes\n'.repeat(500)), path('notes.txt')),
    ],
    [
      'with sound only',
      'no_video',
      async () => (await ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', path('sound.wav')), path('sound.wav')),
    ],
    ['that are empty', 'unreadable', async () => (await writeFile(path('empty.mp4'), ''), path('empty.mp4'))],
    [
      'without their index',
      'unreadable',
      async () => {
        const clip = await makeClip(path('cut.mp4'));
        await truncate(clip, 20_000);
        return clip;
      },
    ],
    ['that are folders', 'unreadable', () => Promise.resolve(folder.path)],
  ])('%s: %s', async (_, cause, make) => {
    const file = await make();
    await expect(openSource(file)).rejects.toMatchObject({
      reason: 'SOURCE_FAILED',
      details: { cause },
      message: expect.stringContaining(file) as string,
    });
  });

  it('damage in the middle costs some frames, not the rest, and is told', async () => {
    const clip = await makeClip(path('damaged.mp4'), { frames: 120 });
    await damage(clip, 100_000, 30_000);
    await using source = await openSource(clip);
    let last = 0;
    for (let frame = await source.next(); frame !== undefined; frame = await source.next()) last = frame.timestampUs;
    expect(last).toBeGreaterThan(3_500_000);
    expect(source.counts.complaints).toBeGreaterThan(0);
  });

  it('a camera that is not there', async () => {
    await expect(openSource('97')).rejects.toMatchObject({
      reason: 'SOURCE_FAILED',
      details: { cause: 'not_found' },
      message: expect.stringContaining('camera /dev/video97: no such camera') as string,
    });
  });

  it('no ffmpeg: says what to install', async () => {
    const { PATH } = process.env;
    process.env['PATH'] = folder.path;
    try {
      await expect(openSource(PERSON)).rejects.toMatchObject({
        reason: 'FFMPEG_MISSING',
        message: expect.stringContaining('apt-get install ffmpeg') as string,
      });
    } finally {
      process.env['PATH'] = PATH;
    }
  });
});

describe('a decoder', () => {
  it('that is killed ends its file with an error after the frames that it gave', async () => {
    await using source = await openSource(PERSON);
    await source.next();
    const [decoder] = descendants(process.pid).filter(({ pid }) => isFfmpeg(pid));
    process.kill(decoder?.pid ?? 0, 'SIGKILL');
    const rest = async (): Promise<void> => {
      while ((await source.next()) !== undefined);
    };
    await expect(rest()).rejects.toMatchObject({ reason: 'SOURCE_FAILED', details: { cause: 'killed' } });
  });

  it('ends with its source, also one that is held back', async () => {
    const source = await openSource(PERSON);
    await source.next();
    expect(descendants(process.pid).length).toBeGreaterThan(0);
    await source[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    expect(descendants(process.pid)).toEqual([]);
    expect(await source.next()).toBeUndefined();
  });
});

function isFfmpeg(pid: number): boolean {
  return commandOf(pid).includes('ffmpeg');
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
}
