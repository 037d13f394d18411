import { expect, test } from 'vitest';
import { TraceSettings, type TraceValues } from './trace-settings.ts';

/** Triton's texts, recorded from a live one. */
test.each<[TraceValues, string]>([
  [{ trace_rate: ['x'] }, "Unable to parse 'trace_rate', got: x"],
  [{ trace_rate: ['1', '2'] }, "expect only 1 value for 'trace_rate'"],
  [{ trace_rate: ['-1'] }, "Unable to parse 'trace_rate'. Expecting value >= 0, got: -1"],
  [{ trace_count: ['-2'] }, "Unable to parse 'trace_count'. Expecting value >= -1, got: -2"],
  [{ log_frequency: ['99999999999'] }, "Unable to parse 'log_frequency', got: 99999999999"],
  [{ trace_level: ['OFF', 'TIMESTAMPS'] }, "Expect only one trace level 'OFF' is specified"],
  [{ trace_level: ['TIMESTAMPS'] }, 'Attempting to set invalid trace setting :trace file name is not given'],
  [{ trace_file: ['/tmp/x'] }, 'trace file location can not be updated through network protocol'],
])('%j is refused, and nothing of it is set', (changes, text) => {
  const settings = new TraceSettings(() => true);
  expect(() => settings.update('', { log_frequency: ['3'], ...changes })).toThrow(text);
  expect(settings.get('')['log_frequency']).toEqual(['0']);
});

test('names that are not known are ignored, also those of the prototype', () => {
  const settings = new TraceSettings(() => true);
  const before = settings.get('');
  expect(settings.update('', { foo: ['x'], constructor: ['y'] })).toEqual(before);
});

test('a model follows what holds for all but in what is its own', () => {
  const settings = new TraceSettings((name) => name === 'm');
  settings.update('m', { trace_count: ['5'] });
  settings.update('', { trace_rate: ['8'], trace_count: ['6'] });
  expect(settings.get('m')).toMatchObject({ trace_rate: ['8'], trace_count: ['5'] });
  settings.update('m', { trace_count: [] });
  expect(settings.get('m')).toMatchObject({ trace_count: ['6'] });
  expect(() => settings.get('nobody')).toThrow('Request for unknown model : nobody');
});
