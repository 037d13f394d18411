import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeVideo, type FakeVideoOptions } from '../../../test/support/fake-video.ts';
import { until } from '../../../test/support/until.ts';
import { MillraceError } from '../../base/errors.ts';
import type { FrameResult } from '../../media/sinks/results/result-record.ts';
import { pipelineSchema } from '../../pipelines/common/pipeline-schema.ts';
import type { StatusUpdate } from '../../pipelines/common/report.ts';
import { LIFE, OPERATIONS, operateOnAll, type SourceState } from '../../pipelines/common/states.ts';
import type { FrameInference } from './frame-inference.ts';
import { PipelineRun } from './pipeline-run.ts';
import type { SourceFrame } from './source-runner.ts';

interface Setup {
  readonly videos: readonly (FakeVideoOptions | Error)[];
  readonly pipeline?: object;
  readonly infer?: (frame: SourceFrame) => FrameResult | undefined;
  readonly program?: object;
  /** Of each source: it is open when that resolves. */
  readonly openings?: readonly Promise<void>[];
  readonly onResults?: () => void;
}

const resultOf = ({ sourceId, frameId, frame }: SourceFrame): FrameResult => ({
  source_id: sourceId,
  frame_id: frameId,
  captured_at_ms: 0,
  width: frame.width,
  height: frame.height,
  predictions: [],
});

function start({ videos, pipeline = {}, infer = resultOf, program = {}, openings = [], onResults }: Setup) {
  const opened: FakeVideo[] = [];
  const results: FrameResult[] = [];
  const updates: StatusUpdate[] = [];
  const batches: (readonly SourceFrame[])[] = [];
  const inference: FrameInference = {
    pixels: 'rgb24',
    keepsFrames: true,
    infer: async (batch) => {
      batches.push(batch);
      await Promise.resolve();
      return batch.map(infer);
    },
    configure: () => {},
    close: () => {},
  };
  const request = pipelineSchema.parse({
    video_reference: videos.map((_, i) => `/v/${i}.mp4`),
    model_id: 'm',
    ...pipeline,
  });
  const run = new PipelineRun(
    {
      id: 'p',
      pipeline: request,
      detector: undefined,
      classNames: [],
      startFrames: [],
      startSequence: 0,
      isHeld: false,
      ...program,
    },
    inference,
    {
      onUpdate: (update) => updates.push(update),
      onResults: (_, found) => {
        onResults?.();
        results.push(...found);
      },
      onFrame: () => {},
    },
    async (reference, options) => {
      const index = Number(/\d+/.exec(reference)?.[0]);
      const given = videos[index] as FakeVideoOptions | Error;
      await openings[index];
      if (given instanceof Error) throw given;
      const video = new FakeVideo(given, options);
      opened.push(video);
      return video;
    },
  );
  const states = (): SourceState[] => run.report().sources.map(({ state }) => state);
  return { run, opened, results, updates, batches, states };
}

const ids = (results: readonly FrameResult[], source = 0): number[] =>
  results.filter(({ source_id }) => source_id === source).map(({ frame_id }) => frame_id);

test('a file gives every frame in order, then the pipeline has ended', async () => {
  const { run, results, states, opened } = start({ videos: [{ frames: 20 }] });
  await run.finished;
  expect(ids(results)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(states()).toEqual(['ENDED']);
  await run.close();
  expect(opened[0]?.isClosed).toBe(true);
});

test('pausing a file loses no frame', async () => {
  const { run, results, opened } = start({ videos: [{}] });
  await until(() => opened.length === 1);
  opened[0]?.give(3);
  await until(() => results.length === 3);
  run.operate('mute');
  opened[0]?.give(4);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(ids(results)).toEqual([1, 2, 3]);
  run.operate('resume');
  await until(() => results.length === 7);
  expect(ids(results)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  await run.close();
});

test('a muted live source goes on and its frames are dropped and counted', async () => {
  const { run, results, opened } = start({ videos: [{ isLive: true }] });
  await until(() => opened.length === 1);
  opened[0]?.give(2);
  await until(() => results.length === 2);
  run.operate('mute');
  opened[0]?.give(5);
  await until(() => run.report().sources[0]?.counts.dropped_muted === 5);
  run.operate('resume');
  opened[0]?.give(1);
  await until(() => results.length === 3);
  expect(ids(results)).toEqual([1, 2, 8]);
  await run.close();
});

test('two files give all frames in order; the shorter one does not stop the other', async () => {
  const { run, results, batches } = start({ videos: [{ frames: 3 }, { frames: 6 }] });
  await run.finished;
  expect(ids(results, 0)).toEqual([1, 2, 3]);
  expect(ids(results, 1)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(batches.slice(0, 3).map((batch) => batch.map(({ sourceId }) => sourceId))).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  await run.close();
});

test('a source that cannot be opened does not stop the others', async () => {
  const error = new MillraceError('SOURCE_FAILED', 'source rtsp://u:secret@x: no', { details: { cause: 'refused' } });
  const { run, results, states, updates } = start({ videos: [error, { frames: 2 }] });
  await run.finished;
  expect(ids(results, 1)).toEqual([1, 2]);
  expect(states()).toEqual(['ERROR', 'ENDED']);
  const told = updates.find(({ event_type }) => event_type === 'SOURCE_ERROR');
  expect(told).toMatchObject({
    severity: 40,
    payload: { error_type: 'SOURCE_FAILED', source_id: 0, cause: 'refused' },
  });
  expect(JSON.stringify(updates)).not.toContain('secret');
  await run.close();
});

test('batch_collection_timeout lets a batch go without a slow source', async () => {
  const { run, opened, batches } = start({ videos: [{}, {}], pipeline: { batch_collection_timeout: 0.05 } });
  await until(() => opened.length === 2);
  opened[0]?.give(1);
  await until(() => batches.length === 1);
  expect(batches[0]?.map(({ sourceId }) => sourceId)).toEqual([0]);
  opened[1]?.give(1);
  opened[0]?.give(1);
  await until(() => batches.flat().length === 3);
  await run.close();
});

test('a frame that fails costs only itself, and is told of once', async () => {
  const infer = (frame: SourceFrame): FrameResult => {
    if (frame.frameId < 4) throw new MillraceError('MODEL_FAILED', 'no');
    return resultOf(frame);
  };
  const { run, results, updates } = start({ videos: [{ frames: 5 }], infer });
  await run.finished;
  expect(ids(results)).toEqual([4, 5]);
  expect(run.report().sources[0]?.counts).toMatchObject({ captured: 5, inferred: 2, failed: 3 });
  expect(updates.filter(({ event_type }) => event_type === 'INFERENCE_ERROR')).toHaveLength(1);
  await run.close();
});

test('frames that a servable says nothing of are counted, not waited for', async () => {
  const { run, results } = start({
    videos: [{ frames: 4 }],
    infer: (frame) => (frame.frameId % 2 === 0 ? undefined : resultOf(frame)),
  });
  await run.finished;
  expect(ids(results)).toEqual([1, 3]);
  expect(run.report().sources[0]?.counts).toMatchObject({ inferred: 2, unanswered: 2 });
  await run.close();
});

test('frames without an answer are no throughput', async () => {
  const { run } = start({
    videos: [{ frames: 20 }],
    infer: (frame) => (frame.frameId === 1 ? resultOf(frame) : undefined),
  });
  await run.finished;
  expect(run.report().throughput).toBe(0);
  await run.close();
});

test('max_fps: a file waits, a live source loses the excess', async () => {
  const file = start({ videos: [{ frames: 4 }], pipeline: { max_fps: 200 } });
  await file.run.finished;
  expect(ids(file.results)).toEqual([1, 2, 3, 4]);
  const live = start({ videos: [{ isLive: true }], pipeline: { max_fps: 0.01 } });
  await until(() => live.opened.length === 1);
  live.opened[0]?.give(6);
  await until(() => live.run.report().sources[0]?.counts.dropped_rate === 5);
  expect(ids(live.results)).toEqual([1]);
  await Promise.all([file.run.close(), live.run.close()]);
});

test('max_fps with drop_frames_of_files: a file loses the frames between, by their times', async () => {
  const program = { sources: { drop_frames_of_files: true } };
  const { run, results, batches } = start({ videos: [{ frames: 9 }], pipeline: { max_fps: 12.5 }, program });
  await run.finished;
  const times = batches.map(([each]) => (each?.frame.timestampUs ?? 0) / 80_000);
  expect(times).toEqual(times.map((_, i) => (times[0] ?? 0) + i));
  expect(results).toHaveLength(5);
  expect(run.report().sources[0]?.counts).toMatchObject({ inferred: 5, dropped_rate: 4 });
  await run.close();
});

test('after the loss of a host frame numbers go on, and a paused pipeline is paused', async () => {
  const { run, opened, states } = start({ videos: [{}], program: { startFrames: [40], isHeld: true } });
  await until(() => opened.length === 1);
  await until(() => states()[0] === 'MUTED');
  run.operate('resume');
  opened[0]?.give(1);
  await until(() => run.report().sources[0]?.counts.inferred === 1);
  await run.close();
});

test('a pipeline that is held again gives no frame of a source that connects later than the others', async () => {
  let open = (): void => {};
  const openings = [Promise.resolve(), new Promise<void>((resolve) => (open = resolve))];
  const { run, results, opened, states } = start({ videos: [{}, {}], program: { isHeld: true }, openings });
  await until(() => states()[0] === 'MUTED');
  expect(states()[1]).toBe('INITIALISING');
  open();
  await until(() => opened.length === 2);
  for (const video of opened) video.give(2);
  await until(() => states()[1] === 'MUTED');
  expect(results).toEqual([]);
  run.operate('resume');
  await until(() => results.length === 4);
  await run.close();
});

test('a fault of our own ends the run with its sources closed', async () => {
  const onResults = (): void => {
    throw new Error('broken');
  };
  const { run, opened, states } = start({
    videos: [{ frames: 3 }, {}],
    pipeline: { batch_collection_timeout: 0 },
    onResults,
  });
  await expect(run.finished).rejects.toThrow('broken');
  expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  expect(states()).toEqual(['ENDED', 'ENDED']);
  await run.close();
});

test('a sink that fails with every frame stops neither the pipeline nor other sinks', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-run-'));
  const path = join(folder, 'results.jsonl');
  const sinks = [
    { type: 'webhook', url: 'http://127.0.0.1:1/', retries: 0 },
    { type: 'json_lines', path: join(folder, 'none/results.jsonl') },
    { type: 'json_lines', path },
  ];
  const { run, results } = start({ videos: [{ frames: 5 }], pipeline: { sinks } });
  await run.finished;
  expect(ids(results)).toEqual([1, 2, 3, 4, 5]);
  expect(run.report().sinks.map(({ failed, delivered }) => [failed, delivered])).toEqual([
    [5, 0],
    [5, 0],
    [0, 5],
  ]);
  expect((await readFile(path, 'utf8')).trimEnd().split('\n')).toHaveLength(5);
  await run.close();
  await rm(folder, { recursive: true });
});

test('it is terminated in every state, also while it connects', async () => {
  const never = start({ videos: [{}] });
  await never.run.close();
  expect(never.states()).toEqual(['ENDED']);
  const muted = start({ videos: [{}] });
  await until(() => muted.states()[0] === 'RUNNING');
  muted.run.operate('mute');
  muted.run.operate('terminate');
  await muted.run.finished;
  expect(muted.states()).toEqual(['ENDED']);
  expect(muted.run.operate('terminate')).toBe('already');
});

test('random commands: answers are those of the table, states follow one another as they may', async () => {
  const command = fc.constantFrom(...OPERATIONS, 'frame', 'end' as const);
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(command, { maxLength: 15 }), async (isLive, commands) => {
      const { run, opened, states, updates } = start({ videos: [{ isLive }] });
      await until(() => opened.length === 1 && states()[0] === 'RUNNING');
      for (const each of commands) {
        if (each === 'frame') opened[0]?.give(1);
        else if (each === 'end') opened[0]?.end();
        else {
          const expected = operateOnAll(each, states()).answer;
          let answer: string;
          try {
            answer = run.operate(each);
          } catch (error) {
            answer = (error as MillraceError).reason === 'PIPELINE_STATE' ? 'refused' : String(error);
          }
          expect(answer).toBe(expected);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      await run.close();
      const told = updates.filter(({ event_type }) => event_type === 'SOURCE_STATE_UPDATE');
      for (const { payload } of told) {
        expect(LIFE[payload['previous_state'] as SourceState]).toContain(payload['new_state']);
      }
      expect(states()).toEqual(['ENDED']);
    }),
    { numRuns: 60 },
  );
});
