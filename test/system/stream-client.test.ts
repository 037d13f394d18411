import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StreamClient } from '../../src/stream-client/index.ts';
import { PERSON, probeClip } from '../support/clips.ts';
import { StreamClientServer } from '../support/stream-client-server.ts';
import { until } from '../support/until.ts';

let bench: StreamClientServer;
beforeAll(async () => {
  bench = await StreamClientServer.start();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

describe('file to file', () => {
  it.each([
    ['a stream', []],
    ['unary calls', ['--unary']],
    ['BGR', ['--color', 'bgr']],
  ])('has every frame once, in order, at its time: %s', async (_, flags) => {
    const file = bench.out('file.mp4');
    const result = await bench.report(['--input_stream', PERSON, '--output_stream', file, ...flags]);
    expect(result).toMatchObject({ frames: 150, sent: 150, answered: 150, dropped_frames: 0 });
    expect(result.average_frame_spacing).toBeCloseTo(1 / 30, 4);
    const { times, width, height } = await probeClip(file);
    expect([width, height]).toEqual([640, 480]);
    expect(times.map((time) => Math.round(time * 30))).toEqual(Array.from({ length: 150 }, (_, i) => i));
  });

  it('prints the demo’s keys, and percentiles that are in order', async () => {
    const result = await bench.report(['--input_stream', bench.clip]);
    expect(Object.keys(result).slice(0, 6)).toEqual([
      'average_inference_latency',
      'dropped_frames',
      'frames',
      'fps',
      'total_time',
      'sent_all_frames',
    ]);
    const { min, p50, p90, p95, p99, max, avg } = result.latency_ms;
    expect([min, p50, p90, p95, p99, max]).toEqual([min, p50, p90, p95, p99, max].toSorted((a, b) => a - b));
    expect(min).toBeGreaterThan(0);
    expect(result.average_inference_latency * 1000).toBeCloseTo(avg, 1);
    expect(result.fps).toBeCloseTo(result.frames / result.total_time, 0);
  });

  it('sends as many frames as were asked for', async () => {
    expect(await bench.report(['--input_stream', bench.clip, '--limit_frames', '7'])).toMatchObject({
      sent: 7,
      frames: 7,
    });
  });

  it('stops after the time that was asked for', async () => {
    const result = await bench.report([
      '--input_stream',
      'lavfi:testsrc2=size=64x48:rate=20',
      '--limit_stream_duration',
      '1',
    ]);
    expect(result.frames).toBeGreaterThan(0);
    expect(result.total_time).toBeLessThan(20);
  });
});

describe('flow control', () => {
  it('a graph that drops frames stops nothing', async () => {
    const file = bench.out('thin.mp4');
    const result = await bench.report(['--input_stream', bench.clip, '--output_stream', file], 'thin');
    // 33.3 ms apart, at least 100 ms asked for: every third or fourth.
    expect(result.sent).toBe(90);
    expect(result.frames).toBeGreaterThanOrEqual(20);
    expect(result.frames).toBeLessThanOrEqual(30);
    expect(result.drops.unanswered).toBe(90 - result.frames);
    expect((await probeClip(file)).times.length).toBe(result.frames);
  });

  it('nor does one that answers nothing', async () => {
    using client = bench.client();
    const streamClient = new StreamClient({
      client,
      model: 'silent',
      inputName: 'first_input_video',
      source: bench.clip,
      answerTimeoutMs: 20,
    });
    const result = await streamClient.run();
    expect(result).toMatchObject({ sent: 90, frames: 0, answered: 0, drops: { unanswered: 90 } });
  });

  it('one that answers twice has no more under way', async () => {
    using client = bench.client();
    const outputsSeen: string[] = [];
    const framesSeen: (number | undefined)[] = [];
    const streamClient = new StreamClient({
      client,
      model: 'twice',
      inputName: 'first_input_video',
      source: bench.clip,
      maxInFlight: 2,
      postprocess: (frame, { outputs }) => {
        outputsSeen.push(outputs[0]?.name ?? '');
        framesSeen.push(frame?.number);
        return undefined;
      },
    });
    const result = await streamClient.run();
    expect(result).toMatchObject({ sent: 90, answered: 90, drops: { unanswered: 0 } });
    expect(outputsSeen.toSorted()).toEqual([...Array<string>(90).fill('copy'), ...Array<string>(90).fill('output')]);
    const each = Array.from({ length: 90 }, (_, i) => i + 1);
    expect(framesSeen.toSorted((a = 0, b = 0) => a - b)).toEqual(each.flatMap((number) => [number, number]));
  });

  it.each(['stream', 'unary'] as const)(
    'a callback that hangs holds back what is sent, not what comes: %s',
    async (mode) => {
      using client = bench.client();
      let release = (): void => {};
      const released = new Promise<void>((resolve) => (release = resolve));
      const numbers: (number | undefined)[] = [];
      const streamClient = new StreamClient({
        client,
        model: 'copy',
        inputName: 'first_input_video',
        source: bench.clip,
        mode,
        maxInFlight: 3,
        postprocess: async (frame) => {
          await released;
          numbers.push(frame?.number);
          return undefined;
        },
      });
      const running = streamClient.run();
      // As many as may be under way wait for the callback, and then no more is sent; what was, is answered all the same.
      await until(() => streamClient.report.answered >= 3 && streamClient.report.answered === streamClient.report.sent);
      await delay(100);
      const { sent, answered, drops } = streamClient.report;
      expect([answered, drops.unanswered]).toEqual([sent, 0]);
      expect(sent).toBeLessThan(6);
      release();
      expect(await running).toMatchObject({ sent: 90, answered: 90, dropped_frames: 0 });
      expect(numbers).toEqual(Array.from({ length: 90 }, (_, i) => i + 1));
    },
  );

  it('a callback that never returns does not outlast the second Ctrl-C', async () => {
    using client = bench.client();
    const streamClient = new StreamClient({
      client,
      model: 'copy',
      inputName: 'first_input_video',
      source: bench.clip,
      postprocess: () => new Promise<undefined>(() => {}),
    });
    const aborting = new AbortController();
    const running = streamClient.run(aborting.signal);
    await until(() => streamClient.report.answered > 0);
    aborting.abort();
    expect((await running).frames).toBe(0);
  });
});

describe('a model that knows no times', () => {
  it.each([
    ['a stream', []],
    ['unary calls', ['--unary']],
  ])('answers by id: %s', async (_, flags) => {
    const file = bench.out('plain.mp4');
    const names = ['--model_name', 'plain', '--input_name', 'image'];
    const result = await bench.report(['--input_stream', bench.clip, '--output_stream', file, ...names, ...flags]);
    expect(result).toMatchObject({ sent: 90, answered: 90, frames: 90, dropped_frames: 0 });
    expect(result.latency_ms.min).toBeGreaterThan(0);
    const { times } = await probeClip(file);
    expect(times.map((time) => Math.round(time * 30))).toEqual(Array.from({ length: 90 }, (_, i) => i));
  });
});

describe('callbacks', () => {
  it('from modules, in TypeScript too', async () => {
    const before = await bench.folder.put(
      'before.ts',
      `import { tensorOf } from 'millrace';
       export function preprocess(frame: { number: number; data: Uint8Array; width: number; height: number }) {
         if (frame.number % 2 === 0) return undefined;
         return [tensorOf('first_input_video', 'UINT8', [frame.height, frame.width, 3], frame.data)];
       }`,
    );
    const after = await bench.folder.put(
      'after.js',
      `export function postprocess(frame, response) {
         const data = new Uint8Array(32 * 16).fill(frame.number);
         return { width: 32, height: 16, format: 'gray', data };
       }`,
    );
    const file = bench.out('callbacks.mkv');
    const callbacks = ['--preprocess', before, '--postprocess', after];
    const result = await bench.report(['--input_stream', bench.clip, '--output_stream', file, ...callbacks]);
    expect(result).toMatchObject({ sent: 45, frames: 45, drops: { skipped: 45 } });
    expect(await probeClip(file)).toMatchObject({ width: 32, height: 16 });
  });

  it('that are missing or throw end the run and say so', async () => {
    const wrong = await bench.folder.put('wrong.js', 'export const preprocess = 3;');
    const thrower = await bench.folder.put(
      'thrower.js',
      'export function postprocess() { throw new Error("no luck"); }',
    );
    const none = await bench.run(['--input_stream', bench.clip, '--preprocess', wrong]).ended;
    expect(none).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('export "preprocess" is no function') as string,
    });
    const thrown = await bench.run(['--input_stream', bench.clip, '--postprocess', thrower]).ended;
    expect(thrown).toMatchObject({ code: 1, stderr: expect.stringContaining('no luck') as string });
  });
});
