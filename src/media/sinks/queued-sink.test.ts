import { describe, expect, it } from 'vitest';
import { QueuedSink } from './queued-sink.ts';
import type { SinkDriver, SinkFrame } from './video-sink.ts';

const frame = (timestampUs: number): SinkFrame => ({
  timestampUs,
  width: 1,
  height: 1,
  format: 'gray',
  data: new Uint8Array(1),
});

/** A driver that takes a frame when it is told to. */
class SlowDriver implements SinkDriver {
  readonly label = 'slow';
  readonly taken: number[] = [];
  isFinished = false;
  isAborted = false;
  #go: ((error?: Error) => void) | undefined;

  write({ timestampUs }: SinkFrame): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#go = (error) => {
        if (error === undefined) this.taken.push(timestampUs);
        if (error === undefined) resolve();
        else reject(error);
      };
    });
  }

  async take(error?: Error): Promise<void> {
    this.#go?.(error);
    await new Promise(setImmediate);
  }

  finish(): Promise<void> {
    this.isFinished = true;
    return Promise.resolve();
  }

  async abort(): Promise<void> {
    this.isAborted = true;
    await this.take();
  }
}

describe('QueuedSink', () => {
  it('pushes the oldest out of a full queue and counts it', async () => {
    const driver = new SlowDriver();
    const sink = new QueuedSink(driver, { capacity: 2, whenFull: 'drop_oldest' });
    for (const time of [1, 2, 3, 4, 5]) await sink.write(frame(time));
    const finished = sink.finish();
    for (let i = 0; i < 3; i++) await driver.take();
    await finished;
    expect(driver.taken).toEqual([1, 4, 5]);
    expect(sink.counts).toEqual({ written: 3, droppedFull: 2, droppedLost: 0, reconnections: 0 });
    expect(driver.isFinished).toBe(true);
  });

  it('holds its writer back and loses nothing', async () => {
    const driver = new SlowDriver();
    const sink = new QueuedSink(driver, { capacity: 1, whenFull: 'wait' });
    await sink.write(frame(1));
    await sink.write(frame(2));
    let isWritten = false;
    const third = sink.write(frame(3)).then(() => (isWritten = true));
    await new Promise(setImmediate);
    expect(isWritten).toBe(false);
    await driver.take();
    await third;
    await driver.take();
    await driver.take();
    await sink.finish();
    expect(driver.taken).toEqual([1, 2, 3]);
  });

  it('a failure reaches its writer, one that waits, and finish', async () => {
    const driver = new SlowDriver();
    const sink = new QueuedSink(driver, { capacity: 1, whenFull: 'wait' });
    await sink.write(frame(1));
    await sink.write(frame(2));
    const third = sink.write(frame(3));
    const told = expect(third).rejects.toThrow('broken');
    await driver.take(new Error('broken'));
    await told;
    await expect(sink.write(frame(4))).rejects.toThrow('broken');
    await expect(sink.finish()).rejects.toThrow('broken');
  });

  it('closing leaves out what waits and wakes its writer', async () => {
    const driver = new SlowDriver();
    const sink = new QueuedSink(driver, { capacity: 1, whenFull: 'wait' });
    await sink.write(frame(1));
    await sink.write(frame(2));
    const third = sink.write(frame(3));
    await sink[Symbol.asyncDispose]();
    await third;
    expect(driver.taken).toEqual([1]);
    expect(driver.isAborted).toBe(true);
    await sink.write(frame(4));
    expect(driver.taken).toEqual([1]);
  });
});
