import { expect, test } from 'vitest';
import { resolveSettings } from '../config/resolve.ts';
import { streamManagerSettings, unusedVariables } from './stream-manager-environment.ts';

function resolve(variables: Readonly<Record<string, string>>, flags: Readonly<Record<string, string>> = {}) {
  const foreign = streamManagerSettings(variables);
  return resolveSettings({ foreign, environment: variables, flags }).settings;
}

test.each([
  [{}, undefined],
  [{ PORT: '8000' }, undefined],
  [{ STREAM_MANAGER_PORT: '7171' }, 7171],
  [{ STREAM_MANAGER_HOST: '0.0.0.0' }, 7070],
  [{ STREAM_MANAGER_HOST: '0.0.0.0', PORT: '7272' }, 7272],
  [{ STREAM_MANAGER_PORT: '7171', PORT: '7272', MILLRACE_STREAM_MANAGER_PORT: '7373' }, 7373],
])('the port of the stream manager: %j', (variables, port) => {
  expect(resolve(variables).streamManagerPort).toBe(port);
});

test('the other variables', () => {
  const settings = resolve({
    STREAM_MANAGER_HOST: '0.0.0.0',
    STREAM_MANAGER_SOCKET_TIMEOUT: '2.5',
    STREAM_MANAGEMENT_API_HOST: '::',
    STREAM_MANAGEMENT_API_PORT: '8181',
    ENABLE_STREAM_API: 'True',
  });
  expect(settings).toMatchObject({
    streamManagerBindAddress: '0.0.0.0',
    streamManagerTimeoutS: 2.5,
    restBindAddress: '::',
    restPort: 8181,
    streamApiPort: 9001,
  });
});

test('what is no number is told of by the name of the variable', () => {
  expect(() => resolve({ STREAM_MANAGER_PORT: 'x' })).toThrow('STREAM_MANAGER_PORT');
});

test('variables that change nothing are told of, with the reason', () => {
  expect(unusedVariables({ STREAM_MANAGER_PORT: '7070', STREAM_MANAGER_MAX_RAM_MB: '' })).toEqual([]);
  expect(unusedVariables({ STREAM_MANAGER_OPERATIONS_TIMEOUT: '5', STREAM_API_PRELOADED_PROCESSES: '2' })).toEqual([
    expect.stringMatching(/^STREAM_MANAGER_OPERATIONS_TIMEOUT is not used: no request waits/),
    expect.stringMatching(/^STREAM_API_PRELOADED_PROCESSES is not used: host processes run/),
  ]);
});
