import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './paths.ts';

const run = promisify(execFile);

/** 5 s of a person, 640×480, 150 frames. */
export const PERSON = join(ROOT, 'test/fixtures/media/astronaut-pan.mp4');

const FAST = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '15', '-pix_fmt', 'yuv420p'];

/** Runs ffmpeg to its end. @returns what it wrote to stdout */
export async function ffmpeg(...args: string[]): Promise<string> {
  return (await run('ffmpeg', ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', ...args])).stdout;
}

export interface ClipOptions {
  readonly size?: string;
  readonly fps?: number;
  readonly frames?: number;
}

/** Writes a moving test picture, H.264 with a key frame every 15. */
export async function makeClip(
  path: string,
  { size = '320x240', fps = 30, frames = 60 }: ClipOptions = {},
): Promise<string> {
  const duration = frames / fps;
  await ffmpeg('-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${fps}:duration=${duration}`, ...FAST, path);
  return path;
}

/** A clip that changes its size in the middle: 30 frames of 320×240, then 30 of 480×360 (MPEG-TS allows it). */
export async function makeResizedClip(folder: string): Promise<string> {
  const [small, large, both] = ['small.ts', 'large.ts', 'both.ts'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await makeClip(small, { frames: 30 });
  await ffmpeg(
    ...['-f', 'lavfi', '-i', 'testsrc2=size=480x360:rate=30:duration=1', ...FAST, '-output_ts_offset', '1', large],
  );
  await run('sh', ['-c', 'cat "$0" "$1" > "$2"', small, large, both]);
  return both;
}

/** Overwrites part of a file with noise. */
export async function damage(path: string, at: number, bytes: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7919 + 13) & 255)), 0, bytes, at);
}

export interface Probed {
  readonly width: number;
  readonly height: number;
  /** Presentation times in seconds, of every frame that can be decoded. */
  readonly times: readonly number[];
}

/** Decodes a whole video. @throws where it cannot be played */
export async function probeClip(path: string): Promise<Probed> {
  const entries = 'frame=pts_time:stream=width,height';
  const args = ['-v', 'error', '-select_streams', 'v:0', '-show_entries', entries, '-of', 'json', path];
  const { stdout } = await run('ffprobe', args, { maxBuffer: 64 << 20 });
  const { frames, streams } = JSON.parse(stdout) as {
    frames: { pts_time: string }[];
    streams: { width: number; height: number }[];
  };
  const { width = 0, height = 0 } = streams[0] ?? {};
  return { width, height, times: frames.map(({ pts_time: time }) => Number(time)) };
}
