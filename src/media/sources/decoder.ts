import { existsSync, readdirSync } from 'node:fs';
import type { NutFrame } from '../ffmpeg/nut-reader.ts';
import { NutReader } from '../ffmpeg/nut-reader.ts';
import { MediaProcess, type Exit } from '../ffmpeg/media-process.ts';
import type { MediaInput } from './input-arguments.ts';

export interface DecoderOptions {
  readonly input: MediaInput;
  /** Files: frames come at the pace of their times. */
  readonly isPaced: boolean;
  readonly pixels: 'rgb24' | 'bgr24' | 'jpeg' | 'yuv420p';
  /** ffmpeg's scale, 2 (best) to 31. */
  readonly jpegQuality: number;
  readonly width: number;
  readonly height: number;
  readonly useHardware: boolean;
  /** Watches, see {@link Decoder.run}; 0: never. */
  readonly firstFrameMs: number;
  readonly stallMs: number;
  readonly onFrame: (frame: NutFrame) => void;
  /** As {@link NutReaderOptions.allocate}. */
  readonly allocate?: ((bytes: number) => Buffer) | undefined;
}

export interface DecoderEnd {
  readonly exit: Exit;
  /** It was killed because nothing came for this long. */
  readonly stalledMs: number | undefined;
  /** What came was no sequence of frames. */
  readonly fault: Error | undefined;
}

/** Frames of this many pixels or more are worth the way to a GPU and back. */
const HARDWARE_PIXELS = 1280 * 720;

/** One ffmpeg that decodes, until its input ends or it is stopped. */
export class Decoder {
  readonly #options: DecoderOptions;
  readonly #child: MediaProcess;
  readonly #reader: NutReader;
  #fault: Error | undefined;
  #stalledMs: number | undefined;
  #watch: NodeJS.Timeout | undefined;
  #looking: NodeJS.Immediate | undefined;
  #reads = 0;

  /** @throws MillraceError FFMPEG_MISSING */
  constructor(options: DecoderOptions) {
    this.#options = options;
    const { width, height, onFrame, stallMs, allocate } = options;
    this.#reader = new NutReader({
      maxFrameBytes: width * height * 8 + (1 << 20),
      allocate,
      onFrame: (frame) => {
        this.#watchFor(stallMs);
        onFrame(frame);
      },
    });
    const target = { room: () => this.#reader.room(), filled: (bytes: number) => this.#read(bytes) };
    const { script } = options.input;
    this.#child = new MediaProcess({
      program: 'ffmpeg',
      args: argumentsOf(options),
      target,
      ...(script !== undefined && { script }),
    });
  }

  get complaints(): number {
    return this.#child.complaints;
  }

  get firstComplaint(): string | undefined {
    return this.#child.firstComplaint;
  }

  /** For tests that kill it. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Until it ends. It is killed where its first frame does not come within `firstFrameMs`, or a later one within `stallMs`:
   * ffmpeg waits for a camera that hangs for ever.
   */
  async run(): Promise<DecoderEnd> {
    this.#watchFor(this.#options.firstFrameMs);
    const exit = await this.#child.exit;
    this.#unwatch();
    return { exit, stalledMs: this.#stalledMs, fault: this.#fault };
  }

  /** Holds it back, and the watch with it. */
  pause(): void {
    this.#unwatch();
    this.#child.stdout.pause();
  }

  resume(): void {
    if (!this.#child.stdout.isPaused()) return;
    this.#watchFor(this.#options.stallMs);
    this.#child.stdout.resume();
  }

  async stop(): Promise<void> {
    this.#unwatch();
    await this.#child.stop(1_000);
  }

  #read(bytes: number): void {
    if (this.#fault !== undefined) return;
    this.#reads++;
    try {
      this.#reader.filled(bytes);
    } catch (error) {
      this.#fault = error as Error;
      this.#child.kill();
    }
  }

  #watchFor(ms: number): void {
    this.#unwatch();
    if (ms === 0 || this.#child.hasEnded || this.#child.stdout.isPaused()) return;
    this.#watch = setTimeout(() => this.#lookAgain(ms), ms);
  }

  /** Where this process was busy for long, what has come meanwhile is read in this turn, and is no stall. */
  #lookAgain(ms: number): void {
    const before = this.#reads;
    this.#looking = setImmediate(() => {
      if (this.#reads !== before) return this.#watchFor(ms);
      this.#stalledMs = ms;
      this.#child.kill();
    });
  }

  #unwatch(): void {
    clearTimeout(this.#watch);
    clearImmediate(this.#looking);
  }
}

function argumentsOf(options: DecoderOptions): string[] {
  const { input, isPaced, pixels, jpegQuality, width, height, useHardware } = options;
  const size = `${width}:${height}`;
  return [
    ...['-nostdin', '-hide_banner', '-loglevel', 'error'],
    ...(useHardware && width * height >= HARDWARE_PIXELS && hasVideoHardware() ? ['-hwaccel', 'auto'] : []),
    // One thread has the least delay, and more bring little (measured: docs/stream-client.md).
    ...['-threads', '1'],
    ...(isPaced ? ['-re'] : []),
    ...input.args,
    ...['-map', '0:v:0', '-an', '-sn', '-dn'],
    // Free where the size is right; keeps it when the video changes its own.
    ...['-vf', `scale=${size}:force_original_aspect_ratio=decrease,pad=${size}:(ow-iw)/2:(oh-ih)/2,setsar=1`],
    ...['-vsync', 'passthrough', '-enc_time_base', '1/1000000', '-threads', '1'],
    ...(pixels === 'jpeg'
      ? ['-c:v', 'mjpeg', '-q:v', String(jpegQuality), '-pix_fmt', 'yuvj420p']
      : ['-c:v', 'rawvideo', '-pix_fmt', pixels]),
    // It is written 32 KiB at a time: ffmpeg has no option for larger ones.
    ...['-f', 'nut', '-write_index', '0', '-flush_packets', '1', 'pipe:1'],
  ];
}

/** A device that ffmpeg could decode with; without one, trying costs time and fills its log. */
function hasVideoHardware(): boolean {
  if (process.platform !== 'linux') return true;
  if (existsSync('/dev/nvidia0')) return true;
  return existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('renderD'));
}
