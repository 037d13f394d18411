import type { VideoFrame } from '../../src/media/frame.ts';
import type { SourceOptions } from '../../src/media/sources/ffmpeg-source.ts';
import type { SourceCounts, VideoSource } from '../../src/media/sources/video-source.ts';

export interface FakeVideoOptions {
  readonly isLive?: boolean;
  /** Then the video ends. Default: it does not. */
  readonly frames?: number;
}

/** A video of grey frames, 8 × 4, given when a test says so, or at once. */
export class FakeVideo implements VideoSource {
  readonly properties;
  readonly options: SourceOptions;
  captured = 0;
  isClosed = false;
  #waiting: { resolve(frame: VideoFrame | undefined): void; reject(error: Error): void } | undefined;
  #ready: VideoFrame[] = [];
  #end: { readonly error: Error | undefined } | undefined;

  constructor({ isLive = false, frames }: FakeVideoOptions, options: SourceOptions = {}) {
    this.options = options;
    this.properties = {
      label: 'fake',
      isLive,
      width: 8,
      height: 4,
      codec: 'none',
      fps: 25,
      durationMs: undefined,
      frames,
    };
    if (frames !== undefined) this.give(frames).end();
  }

  get counts(): SourceCounts {
    return {
      captured: this.captured,
      droppedFull: 0,
      droppedOlder: 0,
      droppedAdaptive: 0,
      reconnections: 0,
      complaints: 0,
    };
  }

  give(count = 1): this {
    for (let i = 0; i < count; i++) {
      const frame: VideoFrame = {
        number: ++this.captured,
        timestampUs: this.captured * 40_000,
        capturedAtMs: performance.now(),
        width: 8,
        height: 4,
        format: 'rgb24',
        data: new Uint8Array(96).fill(this.captured),
      };
      if (this.#waiting === undefined) this.#ready.push(frame);
      else this.#settle()?.resolve(frame);
    }
    return this;
  }

  end(error?: Error): void {
    this.#end ??= { error };
    if (error === undefined) this.#settle()?.resolve(undefined);
    else this.#settle()?.reject(error);
  }

  next(): Promise<VideoFrame | undefined> {
    const frame = this.#ready.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (this.#end !== undefined)
      return this.#end.error === undefined ? Promise.resolve(undefined) : Promise.reject(this.#end.error);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
    this.#ready = [];
    this.end();
    return Promise.resolve();
  }

  #settle() {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}
