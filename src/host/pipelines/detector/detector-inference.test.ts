import { expect, test } from 'vitest';
import type { PipelineProgram } from '../../../pipelines/common/messages.ts';
import type { ModelSession } from '../../../runtime/model-session.ts';
import { tensorOf, typedData } from '../../../tensor/tensor.ts';
import type { SourceFrame } from '../source-runner.ts';
import { DetectorInference } from './detector-inference.ts';

const SIDE = 8;

/** A detector that finds nothing and keeps a copy of what it was given, and which memory it was. */
function openDetector(): { detector: DetectorInference; given: { values: number[]; memory: ArrayBufferLike }[] } {
  const given: { values: number[]; memory: ArrayBufferLike }[] = [];
  const session = {
    name: 'm',
    inputs: [{ name: 'images', datatype: 'FP32', shape: [1, 3, SIDE, SIDE] }],
    outputs: [{ name: 'output0', datatype: 'FP32', shape: [1, 7, 400] }],
    run: async ([input]) => {
      const values = typedData(input!) as Float32Array;
      given.push({ values: [...values], memory: values.buffer });
      return [tensorOf('output0', 'FP32', [1, 7, 1], new Float32Array(7))];
    },
  } as Pick<ModelSession, 'name' | 'inputs' | 'outputs' | 'run'> as ModelSession;
  const program = {
    pipeline: { model_configuration: {} },
    detector: { preprocessing: { resize: 'Fit (black edges) in' } },
    classNames: [],
  } as object as PipelineProgram;
  return { detector: new DetectorInference(session, program), given };
}

function white(width: number, height: number): SourceFrame {
  const data = new Uint8Array(width * height * 3).fill(255);
  const frame = { width, height, format: 'rgb24', data, number: 1, timestampUs: 0, capturedAtMs: 0 } as const;
  const video = { isLive: true, fps: undefined, measuredFps: undefined };
  return { sourceId: 0, frame, frameId: 1, capturedAtMs: 0, video };
}

test('the memory of an input is used again, and holds nothing of frames of another size', async () => {
  const { detector, given } = openDetector();
  for (const [width, height] of [
    [8, 8],
    [8, 8],
    [8, 4],
    [8, 4],
  ] as const) {
    await detector.infer([white(width, height)]);
  }
  const [first, second, third, fourth] = given;
  expect(second?.memory).toBe(first?.memory);
  expect(third?.memory).not.toBe(first?.memory);
  expect(fourth?.memory).toBe(third?.memory);
  const rows = Array.from({ length: SIDE }, (_, y) => third?.values[y * SIDE]);
  expect(rows).toEqual([0, 0, 1, 1, 1, 1, 0, 0]);
  expect(fourth?.values).toEqual(third?.values);
});

test('frames that are inferred at once have memory of their own', async () => {
  const { detector, given } = openDetector();
  await detector.infer([white(8, 8)]);
  await Promise.all([detector.infer([white(8, 8)]), detector.infer([white(8, 8)])]);
  expect(given[2]?.memory).not.toBe(given[1]?.memory);
});
