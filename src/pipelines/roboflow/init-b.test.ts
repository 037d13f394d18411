import { expect, test } from 'vitest';
import { initBSchema, pipelineOfInitB } from './init-b.ts';

const STEP = {
  type: 'roboflow_core/roboflow_object_detection_model@v1',
  name: 'found',
  image: '$inputs.image',
  model_id: 'shapes/1',
};
const SPECIFICATION = {
  version: '1.0',
  inputs: [{ type: 'WorkflowImage', name: 'image' }],
  steps: [STEP],
  outputs: [{ type: 'JsonField', name: 'p', selector: '$steps.found.predictions' }],
};

const pipelineOf = (more: object) =>
  pipelineOfInitB(
    initBSchema.parse({
      video_configuration: { type: 'VideoConfiguration', video_reference: 'rtsp://camera/1' },
      processing_configuration: { type: 'WorkflowConfiguration', workflow_specification: SPECIFICATION },
      ...more,
    }),
    99,
  );

test('sizes of queues and buffers are those of the body, else those of the server', () => {
  expect(pipelineOf({})).toMatchObject({ sinks: [{ type: 'memory', results_buffer_size: 64, queue_size: 99 }] });
  expect(pipelineOf({}).buffer_size).toBeUndefined();
  const given = pipelineOf({ predictions_queue_size: 7, decoding_buffer_size: 5 });
  expect(given).toMatchObject({ sinks: [{ queue_size: 7 }], buffer_size: 5 });
});
