import { Writable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { afterEach, expect, test, vi } from 'vitest';
import type { Pipeline } from '../../../pipelines/pipeline.ts';
import type { PipelineWatcher } from '../../../pipelines/watchers.ts';
import { streamEvents } from './live.ts';

afterEach(() => vi.useRealTimers());

/** A connection whose reader takes one piece when it is told to. */
class SlowReader extends Writable {
  readonly texts: string[] = [];
  #taken: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.texts.push(chunk.toString());
    this.#taken = done;
  }

  take(): void {
    this.#taken?.();
  }

  writeHead(): void {}
  flushHeaders(): void {}
}

function begin() {
  const raw = new SlowReader();
  let watcher: PipelineWatcher = {};
  const report = { sources: [], sinks: [], results: 0, throughput: 0 };
  const pipeline = {
    id: 'p',
    state: 'ended',
    updates: [],
    request: { sinks: [] },
    report,
    watch: (given: PipelineWatcher) => {
      watcher = given;
      return () => {};
    },
  };
  const reply = { hijack: () => ({ raw }), raw, getHeaders: () => ({}) };
  streamEvents(pipeline as unknown as Pipeline, reply as unknown as FastifyReply);
  return { raw, watcher };
}

const result = { source_id: 0, frame_id: 1, captured_at_ms: 0, width: 8, height: 8, predictions: [] };

test('nothing is written after the end, however long its reader takes, and a lost connection is no error', () => {
  vi.useFakeTimers();
  const { raw, watcher } = begin();
  watcher.onEnd?.();
  vi.advanceTimersByTime(60_000);
  expect(raw.writableEnded).toBe(true);
  expect(raw.errored).toBeNull();
  expect(() => raw.emit('error', new Error('reset'))).not.toThrow();
});

test('what a slow reader missed is told of with the first result that it gets', async () => {
  const { raw, watcher } = begin();
  const text = 'x'.repeat(1 << 20);
  watcher.onResults?.({ sequence: 1, results: [{ ...result, outputs: { text } }] });
  for (const sequence of [2, 3]) watcher.onResults?.({ sequence, results: [result] });
  while (raw.writableLength > 0) {
    raw.take();
    await new Promise((resolve) => setImmediate(resolve));
  }
  watcher.onResults?.({ sequence: 4, results: [result] });
  raw.take();
  const results = raw.texts.filter((each) => each.startsWith('event: result'));
  expect(results.map((each) => /^id: (\d+)$/m.exec(each)?.[1])).toEqual(['1', '4']);
  expect(results.at(-1)).toContain('"missed":2');
});
