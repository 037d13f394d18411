import { expect, test } from 'vitest';
import { parsePipelinesConfig } from '../pipelines/pipelines-config.ts';
import { withVideoSourceVariables } from './video-source-environment.ts';

const sourcesOf = (variables: Readonly<Record<string, string>>, section?: unknown) =>
  parsePipelinesConfig(withVideoSourceVariables(section, variables)).sources;

test("each of Roboflow's variables of video sources has its setting", () => {
  const variables = {
    VIDEO_SOURCE_BUFFER_SIZE: '64',
    VIDEO_SOURCE_ADAPTIVE_MODE_STREAM_PACE_TOLERANCE: '0.5',
    VIDEO_SOURCE_ADAPTIVE_MODE_READER_PACE_TOLERANCE: '7',
    VIDEO_SOURCE_MINIMUM_ADAPTIVE_MODE_SAMPLES: '20',
    VIDEO_SOURCE_MAXIMUM_ADAPTIVE_FRAMES_DROPPED_IN_ROW: '8',
    VIDEO_SOURCE_ADAPTIVE_BACKPRESSURE: 'True',
  };
  expect(sourcesOf(variables)).toEqual({
    drop_frames_of_files: false,
    buffer_size: 64,
    adaptive: {
      adaptive_mode_stream_pace_tolerance: 0.5,
      adaptive_mode_reader_pace_tolerance: 7,
      minimum_adaptive_mode_samples: 20,
      maximum_adaptive_frames_dropped_in_row: 8,
      backpressure: true,
    },
  });
});

test('so has each of those of pipelines', () => {
  const variables = {
    INFERENCE_PIPELINE_PREDICTIONS_QUEUE_SIZE: '512',
    INFERENCE_PIPELINE_RESTART_ATTEMPT_DELAY: '1',
    ENABLE_FRAME_DROP_ON_VIDEO_FILE_RATE_LIMITING: 'true',
    STREAM_MANAGER_MAX_ACTIVE_PIPELINES: '8',
  };
  expect(parsePipelinesConfig(withVideoSourceVariables(undefined, variables))).toMatchObject({
    predictions_queue_size: 512,
    max_pipelines: 8,
    sources: { reconnect_delay_s: 1, drop_frames_of_files: true },
  });
});

test('the file goes before them, and keeps what else it says', () => {
  const section = { max_pipelines: 3, sources: { buffer_size: 4, adaptive: { backpressure: false } } };
  const variables = { VIDEO_SOURCE_BUFFER_SIZE: '64', VIDEO_SOURCE_MINIMUM_ADAPTIVE_MODE_SAMPLES: '20' };
  expect(parsePipelinesConfig(withVideoSourceVariables(section, variables))).toMatchObject({
    max_pipelines: 3,
    sources: { buffer_size: 4, adaptive: { backpressure: false, minimum_adaptive_mode_samples: 20 } },
  });
});

test('without them the section is what it was', () => {
  expect(withVideoSourceVariables(undefined, { VIDEO_SOURCE_BUFFER_SIZE: ' ' })).toBeUndefined();
});

test.each([
  ['VIDEO_SOURCE_BUFFER_SIZE', '1.5', 'a whole number expected'],
  ['VIDEO_SOURCE_BUFFER_SIZE', 'x', 'a whole number of 0 or more expected'],
  ['VIDEO_SOURCE_ADAPTIVE_MODE_STREAM_PACE_TOLERANCE', '-1', 'a number of 0 or more expected'],
  ['VIDEO_SOURCE_ADAPTIVE_BACKPRESSURE', 'yes', 'True or False expected'],
])('%s=%s is told of by its name', (name, text, expected) => {
  expect(() => withVideoSourceVariables(undefined, { [name]: text })).toThrow(
    `${name}: ${JSON.stringify(text)} given, ${expected}`,
  );
});

test('a section that is wrong is told of as before', () => {
  expect(() => sourcesOf({ VIDEO_SOURCE_BUFFER_SIZE: '4' }, { sources: 5 })).toThrow('pipelines: sources');
});
