import { expect, test } from 'vitest';
import { FakeVideo } from '../../../test/support/fake-video.ts';
import { until } from '../../../test/support/until.ts';
import type { MillraceError } from '../../base/errors.ts';
import type { SessionOutput } from '../../ipc/host-handler.ts';
import type { FrameResult } from '../../media/sinks/results/result-record.ts';
import { pipelineSchema } from '../../pipelines/common/pipeline-schema.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { JsonParameter } from '../../tensor/parameters.ts';
import type { FrameInference } from './frame-inference.ts';
import { PipelineSession } from './pipeline-session.ts';
import { detectionsOf } from './servable-outputs.ts';
import { toPrediction } from './boxes.ts';
import type { SourceFrame } from './source-runner.ts';

class Output implements SessionOutput {
  readonly isFull = false;
  readonly maxBytes = 1e6;
  readonly responses: InferenceResponse[] = [];
  ended: { readonly error: MillraceError | undefined } | undefined;

  respond(response: InferenceResponse): void {
    this.responses.push(response);
  }
  taken(): void {}
  dropped(): void {}
  refuse(): void {}
  end(error: MillraceError | undefined): void {
    this.ended = { error };
  }
}

function start(infer: (batch: readonly SourceFrame[]) => readonly (FrameResult | undefined)[]) {
  const output = new Output();
  const video = new FakeVideo({});
  const inference: FrameInference = {
    pixels: 'rgb24',
    keepsFrames: true,
    infer: (batch) => Promise.resolve(infer(batch)),
    configure: () => {},
    close: () => {},
  };
  const pipeline = pipelineSchema.parse({ video_reference: '/v/0.mp4', model_id: 'm' });
  const program = {
    id: 'p',
    pipeline,
    detector: undefined,
    classNames: [],
    startFrames: [],
    startSequence: 0,
    isHeld: false,
  };
  const session = new PipelineSession(program, inference, output, () => Promise.resolve(video));
  const tell = (command: object): void =>
    session.push({
      id: '1',
      parameters: { command: new JsonParameter(JSON.stringify(command)) },
    } as unknown as InferenceRequest);
  return { session, output, video, tell };
}

test('a run that breaks ends the session with its error', async () => {
  const { output, video } = start(() => undefined as unknown as readonly FrameResult[]);
  video.give(1);
  await until(() => output.ended !== undefined);
  expect(output.ended?.error).toMatchObject({ reason: 'INTERNAL' });
  expect(video.isClosed).toBe(true);
});

test('classes that are no whole numbers are drawn too', async () => {
  const rows = [1.6, NaN, Infinity, -1].map((classId) => [1, 1, 6, 3, 0.9, classId]);
  const data = new Uint8Array(Float32Array.from(rows.flat()).buffer);
  const { detections } = detectionsOf([{ name: 'boxes', datatype: 'FP32', shape: [4, 6], data }]);
  const predictions = detections.map((box) => toPrediction(box, [], false));
  expect(predictions.map(({ class_id }) => class_id)).toEqual([2, 0, 0, -1]);
  const { session, output, video, tell } = start((batch) =>
    batch.map(({ sourceId, frameId }) => ({
      source_id: sourceId,
      frame_id: frameId,
      captured_at_ms: 0,
      width: 8,
      height: 4,
      predictions: predictions.map((each) => ({ ...each, class_id: each.class_id + 0.25 })),
    })),
  );
  tell({ type: 'watch', results: false, frames: true });
  video.give(1);
  await until(() => output.responses.some(({ outputs }) => outputs[0]?.name === 'jpeg'));
  expect(output.ended).toBeUndefined();
  session.halfClose();
  await until(() => output.ended !== undefined);
  expect(output.ended?.error).toBeUndefined();
});
