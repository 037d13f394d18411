import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScratchFolder } from '../../test/support/scratch-folder.ts';
import { main, type Environment } from './main.ts';
import type { StartServer } from './serve.ts';

let folder: ScratchFolder;
beforeEach(async () => {
  folder = await ScratchFolder.create();
});
afterEach(() => folder[Symbol.asyncDispose]());

/** Runs a command; a server that it starts is told to stop at once. */
async function run(args: readonly string[], variables: Environment['variables'] = {}) {
  const seen = { out: '', err: '', code: -1, started: undefined as Parameters<StartServer>[0] | undefined };
  let signal: (name: string) => void = () => {};
  const list = () =>
    [
      { name: 'm', state: 'ready' },
      { name: 'n', state: 'unloaded' },
    ] as const;
  const startServer: StartServer = async (options) => {
    seen.started = options;
    setImmediate(() => signal('SIGTERM'));
    return { grpcPort: 1, restPort: 2, mlserverPort: 3, metricsPort: 4, dataPlane: { list }, stop: async () => {} };
  };
  seen.code = await main(args, {
    variables,
    stdout: (text) => (seen.out += text),
    stderr: (text) => (seen.err += text),
    onSignal: (listener) => {
      signal = listener;
      return () => {};
    },
    loadServer: () => Promise.resolve(startServer),
  });
  return seen;
}

test('start serves the folder as MLServer would, and says on which ports', async () => {
  await folder.put('settings.json', { server_name: 's', http_port: 8090, host: '127.0.0.1' });
  await folder.put('m/model-settings.json', { implementation: 'm.M' });
  const { started, err, code } = await run(['start', folder.path, '--log_level', 'error']);
  expect(code).toBe(0);
  expect(started).toMatchObject({ settings: { restPort: 8090 }, mlserver: { serverName: 's' } });
  expect((await started?.loadServables())?.specs).toMatchObject([{ name: 'm' }]);
  expect(err).toContain(
    "millrace is ready: gRPC 127.0.0.1:1 (MLServer's dialect on 127.0.0.1:3), REST http://127.0.0.1:2, metrics http://127.0.0.1:4; m; not loaded until asked for: n\n",
  );
});

test('its help has no options of other layouts', async () => {
  for (const args of [
    ['start', '--help'],
    ['start', 'x', '-h'],
  ]) {
    const { out } = await run(args);
    expect(out).toContain('Usage: millrace start [DIR]');
    expect(out).toContain('--mlserver_port');
    expect(out).not.toContain('--config_path');
  }
  expect((await run(['--help'])).out).toContain('start [DIR]');
});

test.each([
  [['start', '/none'], 2, '/none: no such folder (see millrace start --help)'],
  [['start', 'a', 'b'], 2, 'start: "a b" given, one folder expected'],
  [['start', '.', '--prot', '1'], 2, 'unknown flag --prot'],
  [['strat', '.'], 2, 'unknown command "strat ."'],
])('%j ends with %i', async (args, code, message) => {
  const seen = await run(args);
  expect(seen.code).toBe(code);
  expect(seen.err).toContain(message);
  expect(seen.started).toBeUndefined();
});

test('a setting that cannot be honoured ends the start with what to do', async () => {
  await folder.put('settings.json', { tracing_server: 'x:1' });
  const { code, err } = await run(['start', folder.path]);
  expect(code).toBe(1);
  expect(err).toContain('settings.json: tracing_server: "x:1" given, null expected: traces are not exported');
});

test('config explain shows the fields that were given, the options and the models of a folder', async () => {
  await folder.put('settings.json', { http_port: 8090, gzip_enabled: false });
  await folder.put('m/model-settings.json', { implementation: './m.ts', parameters: { version: 'v1' } });
  await folder.put('m/m.ts', '');
  await folder.put('n/model-settings.json', '{');
  const { out, err, code } = await run(['config', 'explain', folder.path], { MLSERVER_GRPC_PORT: '8091' });
  expect(code).toBe(1);
  expect(out).toMatch(/^gzip_enabled +false +.*settings\.json: gzip_enabled$/m);
  expect(out).toMatch(/^rest_port +8090 +.*settings\.json: http_port$/m);
  expect(out).toMatch(/^mlserver_port +8091 +MLSERVER_GRPC_PORT$/m);
  expect(out).toMatch(/^metrics_port +8082 +default of millrace start$/m);
  expect(out).toMatch(/^m +v1 +runtime +.*m\/m\.ts$/m);
  expect(err).toContain('"n" would not be served: n/model-settings.json:1:2: not valid JSON');
});
