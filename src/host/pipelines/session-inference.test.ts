import { expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { HostServable } from '../servable.ts';
import { SessionInference } from './session-inference.ts';
import type { SourceFrame } from './source-runner.ts';

const floats = (name: string, shape: number[], ...values: number[]): Tensor => ({
  name,
  datatype: 'FP32',
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const BOXES = floats('boxes', [1, 6], 1, 1, 3, 3, 0.9, 0);
const SCORES = floats('scores', [2], 0.25, 0.5);

/** A graph of two outputs whose answers to each frame a test says. */
function open(answer: (request: InferenceRequest, output: SessionOutput) => void) {
  const servable = {
    description: {
      inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, -1, 3] }],
      outputs: [
        { name: 'boxes', datatype: 'FP32', shape: [-1, 6] },
        { name: 'scores', datatype: 'FP32', shape: [-1] },
      ],
    },
    open: (_first: InferenceRequest, output: SessionOutput): HostSession => ({
      push: (request) => answer(request, output),
      halfClose: () => {},
      abort: () => {},
      onRoom: () => {},
    }),
  };
  return new SessionInference(servable as unknown as HostServable, 'graph', [], {});
}

function respond(output: SessionOutput, { id }: InferenceRequest, ...outputs: Tensor[]): void {
  output.respond({ servable: 'graph', version: '', id, outputs });
}

function frameOf(frameId: number, sourceId = 0): SourceFrame {
  const frame = { width: 8, height: 4, timestampUs: frameId, data: new Uint8Array(96) };
  return { sourceId, frameId, capturedAtMs: 0, frame } as unknown as SourceFrame;
}

test('the outputs of a frame are put together, in whatever order and turn they come', async () => {
  const inference = open((request, output) => {
    respond(output, request, SCORES);
    respond(output, request, SCORES);
    setImmediate(() => respond(output, request, BOXES));
  });
  for (const frameId of [1, 2]) {
    const [result] = await inference.infer([frameOf(frameId)]);
    expect(result).toMatchObject({
      frame_id: frameId,
      predictions: [{ class_id: 0 }],
      outputs: { scores: { data: [0.25, 0.5] } },
    });
  }
  inference.close();
});

test('a frame of which an output does not come has the others, and what comes late is no later one’s', async () => {
  const late: (() => void)[] = [];
  const inference = open((request, output) => {
    for (const send of late.splice(0)) send();
    respond(output, request, SCORES);
    if (request.id === '1') late.push(() => respond(output, request, BOXES));
  });
  for (const frameId of [1, 2]) {
    const [result] = await inference.infer([frameOf(frameId)]);
    expect(result).toMatchObject({ frame_id: frameId, predictions: [], outputs: { scores: {} } });
  }
  inference.close();
});

test('a source that fails leaves the others time to answer, and the next frame is its own', async () => {
  let isFailing = true;
  const inference = open((request, output) => {
    if (isFailing && request.id === '1') return output.refuse(request, new MillraceError('MODEL_FAILED', 'no'));
    setImmediate(() => respond(output, request, BOXES, SCORES));
  });
  await expect(inference.infer([frameOf(1), frameOf(2, 1)])).rejects.toThrow('no');
  isFailing = false;
  const results = await inference.infer([frameOf(3), frameOf(4, 1)]);
  expect(results.map((result) => [result?.frame_id, result?.predictions.length])).toEqual([
    [3, 1],
    [4, 1],
  ]);
  inference.close();
});
