import { expect, test } from 'vitest';
import { modelEntrySchema } from './ovms-schema.ts';
import { stateFiles, toSequences } from './stateful-entry.ts';

const STATES = [{ input: 'state_in', output: 'state_out' }];

const read = (entry: object): ReturnType<typeof toSequences> =>
  toSequences(modelEntrySchema.parse({ name: 'm', ...entry }), '/models');

test('a model is stateless unless it says so', () => {
  expect(read({})).toBeUndefined();
  expect(read({ stateful: false, low_latency_transformation: false })).toBeUndefined();
});

test('a stateful model has the defaults of OVMS', () => {
  expect(read({ stateful: true, states: STATES })).toEqual({
    maxIdleUs: 300_000_000,
    controls: [],
    strategy: {
      kind: 'oldest',
      maxCandidateSequences: 500,
      preferredSizes: [],
      maxQueueDelayUs: 0,
      preservesOrder: false,
    },
    states: [{ input: 'state_in', output: 'state_out', initial: undefined }],
    maxBacklog: 0,
  });
});

test('its limits and first states can be chosen', () => {
  const states = [{ ...STATES[0], initial_file: 'first.bin' }];
  const sequences = read({ stateful: true, states, max_sequence_number: 2, sequence_idle_timeout_ms: 50 });
  expect(sequences).toMatchObject({ maxIdleUs: 50_000, strategy: { maxCandidateSequences: 2 } });
  expect(stateFiles(sequences)).toEqual(['/models/first.bin']);
  expect(read({ stateful: true, states, idle_sequence_cleanup: false })?.maxIdleUs).toBe(0);
});

test.each([
  [{ stateful: true }, 'states: missing; [{"input": …, "output": …}] expected of a stateful model'],
  [{ states: STATES }, 'states: only for a stateful model; "stateful": true expected beside it'],
  [{ stateful: false, max_sequence_number: 3 }, 'max_sequence_number: only for a stateful model'],
  [{ idle_sequence_cleanup: true }, 'idle_sequence_cleanup: only for a stateful model'],
  [
    { stateful: true, states: STATES, low_latency_transformation: true },
    'low_latency_transformation: true given, false expected: ONNX files are not transformed',
  ],
])('%j is refused', (entry, text) => {
  expect(() => read(entry)).toThrow(text);
});
