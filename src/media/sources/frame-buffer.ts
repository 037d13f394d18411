import type { VideoFrame } from '../frame.ts';

export interface BufferPolicy {
  /** Frames that may wait, at least 1. */
  readonly capacity: number;
  /** What a frame that comes to a full buffer does: hold the decoder back, push the oldest out, or go itself. */
  readonly whenFull: 'wait' | 'drop_oldest' | 'drop_newest';
  /** Which frame a reader gets; those before the newest are dropped then. */
  readonly take: 'next' | 'newest';
}

/** Frames between a decoder and its one reader. */
export class FrameBuffer {
  readonly #policy: BufferPolicy;
  readonly #onRoom: () => void;
  #frames: VideoFrame[] = [];
  #reader: { resolve: (frame: VideoFrame | undefined) => void; reject: (error: Error) => void } | undefined;
  #end: { readonly error: Error | undefined } | undefined;
  droppedFull = 0;
  droppedOlder = 0;

  /** @param onRoom called when a reader made room in a full buffer */
  constructor(policy: BufferPolicy, onRoom: () => void) {
    this.#policy = policy;
    this.#onRoom = onRoom;
  }

  get isFull(): boolean {
    return this.#frames.length >= this.#policy.capacity;
  }

  /** With `wait` a frame is always taken, and the decoder is to stop while the buffer is full. */
  put(frame: VideoFrame): void {
    if (this.#end !== undefined) return;
    if (this.#reader !== undefined) {
      this.#reader.resolve(frame);
      this.#reader = undefined;
      return;
    }
    const { whenFull } = this.#policy;
    if (this.isFull && whenFull !== 'wait') {
      this.droppedFull++;
      if (whenFull === 'drop_newest') return;
      this.#frames.shift();
    }
    this.#frames.push(frame);
  }

  /** Undefined at the end. @throws the error that ended it, once everything before was taken */
  take(): Promise<VideoFrame | undefined> {
    if (this.#reader !== undefined) throw new Error('next() was called while another call waits');
    const wasFull = this.isFull;
    if (this.#policy.take === 'newest' && this.#frames.length > 1) {
      this.droppedOlder += this.#frames.length - 1;
      this.#frames = this.#frames.slice(-1);
    }
    const frame = this.#frames.shift();
    if (frame !== undefined) {
      if (wasFull && !this.isFull) this.#onRoom();
      return Promise.resolve(frame);
    }
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error);
    if (this.#end !== undefined) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
  }

  /** No more frames; the first call counts. */
  end(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    const reader = this.#reader;
    this.#reader = undefined;
    if (error === undefined) reader?.resolve(undefined);
    else reader?.reject(error);
  }

  /** Ends it without what waits. */
  clear(): void {
    this.#frames = [];
    this.end();
  }
}
