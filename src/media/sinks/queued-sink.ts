import type { SinkCounts, SinkDriver, SinkFrame, VideoSink } from './video-sink.ts';

export interface QueuePolicy {
  /** Frames that may wait, at least 1. */
  readonly capacity: number;
  /** What a frame that comes to a full queue does: wait, or push the oldest out. */
  readonly whenFull: 'wait' | 'drop_oldest';
}

/** The queue before a sink: a slow one costs its own frames, or holds back its own writer, and nobody else. */
export class QueuedSink implements VideoSink {
  readonly #driver: SinkDriver;
  readonly #policy: QueuePolicy;
  readonly #frames: SinkFrame[] = [];
  #failure: Error | undefined;
  #isClosed = false;
  #written = 0;
  #droppedFull = 0;
  #pumping: Promise<void> | undefined;
  #wakeWriters: (() => void)[] = [];

  constructor(driver: SinkDriver, policy: QueuePolicy) {
    this.#driver = driver;
    this.#policy = policy;
  }

  get label(): string {
    return this.#driver.label;
  }

  get counts(): SinkCounts {
    const { droppedLost = 0, reconnections = 0 } = this.#driver;
    return { written: this.#written - droppedLost, droppedFull: this.#droppedFull, droppedLost, reconnections };
  }

  async write(frame: SinkFrame): Promise<void> {
    while (this.#frames.length >= this.#policy.capacity && this.#policy.whenFull === 'wait' && this.#isOpen) {
      await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) return;
    if (this.#frames.length >= this.#policy.capacity) {
      this.#frames.shift();
      this.#droppedFull++;
    }
    this.#frames.push(frame);
    this.#pumping ??= this.#pump();
  }

  async finish(): Promise<void> {
    await this.#pumping;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#driver.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#frames.length = 0;
    this.#wake();
    await this.#driver.abort();
    await this.#pumping;
  }

  get #isOpen(): boolean {
    return this.#failure === undefined && !this.#isClosed;
  }

  async #pump(): Promise<void> {
    try {
      for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift()) {
        this.#wake();
        await this.#driver.write(frame);
        this.#written++;
      }
    } catch (error) {
      if (!this.#isClosed) this.#failure = error as Error;
      this.#frames.length = 0;
    } finally {
      this.#pumping = undefined;
      this.#wake();
    }
  }

  #wake(): void {
    const writers = this.#wakeWriters;
    this.#wakeWriters = [];
    for (const wake of writers) wake();
  }
}
