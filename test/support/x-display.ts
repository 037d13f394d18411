import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { isExecutable } from '../../src/base/bound-to-parent.ts';
import type { Image } from '../../src/media/image.ts';

/** Debian: xvfb (`scripts/system-packages.sh`). */
const XVFB = '/usr/bin/Xvfb';
const WIDTH = 640;
const HEIGHT = 480;

/** An X server of a test's own, 640×480, without a window manager: a window of that size fills it. */
export class XDisplay implements AsyncDisposable {
  readonly #server: ChildProcess;
  /** For the variable DISPLAY. */
  readonly name: string;

  private constructor(server: ChildProcess, name: string) {
    this.#server = server;
    this.name = name;
  }

  /** Whether there can be one, and ffmpeg can look at it. */
  static isThere(): boolean {
    if (!isExecutable(XVFB)) return false;
    return spawnSync('ffmpeg', ['-hide_banner', '-devices'], { encoding: 'utf8' }).stdout.includes('x11grab');
  }

  static async start(): Promise<XDisplay> {
    const screen = ['-screen', '0', `${WIDTH}x${HEIGHT}x24`, '-nolisten', 'tcp'];
    // It chooses a free number, and writes that when it can be reached.
    const server = spawn(XVFB, ['-displayfd', '3', ...screen], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    const numbers = server.stdio[3] as Readable;
    let number = '';
    for await (const text of numbers.setEncoding('utf8')) if ((number += text as string).includes('\n')) break;
    if (number.trim() === '') throw new Error('Xvfb ended before it gave a display');
    return new XDisplay(server, `:${number.trim()}`);
  }

  /** What is on it now: RGB. */
  async picture(): Promise<Image> {
    return pictureOf('-f', 'x11grab', '-draw_mouse', '0', '-video_size', `${WIDTH}x${HEIGHT}`, '-i', this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.exitCode !== null || this.#server.signalCode !== null) return;
    const ended = once(this.#server, 'close');
    this.#server.kill();
    await ended;
  }
}

/** The first picture of what ffmpeg reads, 640×480. @param input ffmpeg's arguments */
export async function pictureOf(...input: string[]): Promise<Image> {
  const { stdout: data } = await promisify(execFile)(
    'ffmpeg',
    ['-nostdin', '-loglevel', 'error', ...input, '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24', 'pipe:1'],
    { encoding: 'buffer', maxBuffer: 16 << 20 },
  );
  return { width: WIDTH, height: HEIGHT, channels: 3, format: 'SRGB', data };
}
