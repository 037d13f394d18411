import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MillraceError } from '../base/errors.ts';
import type { Settings } from '../config/settings.ts';
import { main, type Environment } from './main.ts';
import type { StartServer } from './serve.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Runs the command in a process of pretence. */
function terminal(startServer?: StartServer) {
  const seen = { out: '', err: '' };
  let signal: ((name: string) => void) | undefined;
  const environment: Environment = {
    variables: {},
    stdout: (text) => (seen.out += text),
    stderr: (text) => (seen.err += text),
    onSignal: (listener) => {
      signal = listener;
      return () => (signal = undefined);
    },
    loadServer: () => Promise.resolve(startServer ?? (() => Promise.reject(new Error('not expected to start')))),
  };
  return {
    seen,
    run: (args: readonly string[], variables: Environment['variables'] = {}) =>
      main(args, { ...environment, variables }),
    signal: (name: string) => signal?.(name),
    listens: () => signal !== undefined,
  };
}

test('help, by flag or word, names commands and options', async () => {
  for (const args of [['--help'], ['-h'], ['help'], ['serve', '--help']]) {
    const { run, seen } = terminal();
    expect(await run(args)).toBe(0);
    expect(seen.out).toContain('config explain');
    expect(seen.out).toContain('--rest_port <TCP port>');
  }
});

test('help of a command, before and after it', async () => {
  for (const args of [
    ['help', 'graph', 'check'],
    ['graph', 'check', '--help'],
  ]) {
    const { run, seen } = terminal();
    expect(await run(args)).toBe(0);
    expect(seen.out).toMatch(/^Usage: millrace graph check FILE/);
  }
  const { run, seen } = terminal();
  expect(await run(['help', 'start'])).toBe(0);
  expect(seen.out).toMatch(/^Usage: millrace start /);
});

test('version is that of the package', async () => {
  const { run, seen } = terminal();
  expect(await run(['--version'])).toBe(0);
  expect(seen.out).toMatch(/^\d+\.\d+\.\d+/);
});

test('config explain shows each value and its origin', async () => {
  const path = join(folder, 'config.json');
  await writeFile(path, '{"server": {"max_sessions": 7}}');
  const { run, seen } = terminal();
  const args = ['config', 'explain', '--config-path', path, '--log_level=WARNING'];
  expect(await run(args, { MILLRACE_PORT: '1' })).toBe(0);
  expect(seen.out).toMatch(/^max_sessions +7 +.*config\.json: server\.max_sessions$/m);
  expect(seen.out).toMatch(/^port +1 +MILLRACE_PORT$/m);
  expect(seen.out).toMatch(/^log_level +warn +--log_level$/m);
  expect(seen.out).toMatch(/^rest_port +8080 +default$/m);
});

test('config explain shows the servables, and the faults of entries with path and reason', async () => {
  await writeFile(join(folder, 'words.js'), '');
  await writeFile(
    join(folder, 'g.pbtxt'),
    'input_stream: "a"\nnode { calculator: "CountrCalculator" input_stream: "a" }',
  );
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({
      model_config_list: [{ config: { name: 'a', base_pth: 'a' } }, { config: { name: 'b', base_path: 'nowhere' } }],
      mediapipe_config_list: [{ name: 'g', base_path: '.', graph_path: 'g.pbtxt' }],
      runtimes: [
        { name: 'words', implementation: 'words.js' },
        { name: 'words', implementation: './words.js#Other' },
      ],
    }),
  );
  const { run, seen } = terminal();
  expect(await run(['config', 'explain', '--config_path', join(folder, 'config.json')])).toBe(1);
  expect(seen.out).toMatch(/^words +1 +runtime +.*\/words\.js$/m);
  expect(seen.err.replaceAll(`${folder}/`, '').trimEnd().split('\n')).toEqual([
    'millrace: warning: config.json: runtimes[1]: "words" is taken by config.json: runtimes[0]; this one is ignored',
    'millrace: "a" would not be served: config.json: model_config_list[0].config: unknown key "base_pth"; did you mean "base_path"?',
    'millrace: "b" would not be served: config.json: model_config_list[1].config: base_path: "nowhere" does not exist',
    'millrace: "g" would not be served: g.pbtxt:2: no calculator is named "CountrCalculator"; did you mean "CounterCalculator"?',
  ]);
});

test.each([
  [['--prot', '1'], 'unknown flag --prot; did you mean "--port"?'],
  [['--port'], '--port: a value is missing'],
  [['--port', 'x'], '--port: "x" given'],
  [['--config', 'x'], 'unknown flag --config; did you mean "--config_path"?'],
  [['serve', '9000'], 'serve: "9000" given, only flags, as --port 9000 expected'],
  [['config'], 'unknown command "config"; did you mean "config explain"?'],
  [['config', 'show'], 'unknown command "config show"; did you mean "config explain"?'],
  [['grph', 'check', 'x'], 'did you mean "graph"?'],
  [['srve'], 'unknown command "srve"; did you mean "serve"?'],
  [['--rest_workers', '4'], '--rest_workers is not supported'],
  [['--metrics_enable', 'false'], 'write --flag=false'],
])('%j is a usage error', async (args, message) => {
  const { run, seen } = terminal();
  expect(await run(args)).toBe(2);
  expect(seen.err).toContain(message);
  expect(seen.err.trimEnd()).not.toContain('\n');
});

test('a wrong file or environment is one line and exit code 1', async () => {
  const path = join(folder, 'config.json');
  await writeFile(path, '{"server": {"prot": 7}}');
  const wrongFile = terminal();
  expect(await wrongFile.run(['--config_path', path])).toBe(1);
  expect(wrongFile.seen.err).toBe(`millrace: ${path}: server: unknown key "prot"; did you mean "port"?\n`);
  const wrongVariable = terminal();
  expect(await wrongVariable.run([], { MILLRACE_PORT: 'x' })).toBe(1);
  expect(wrongVariable.seen.err).toContain('MILLRACE_PORT: "x" given');
});

test('a server that does not start is one line and exit code 1', async () => {
  const { run, seen } = terminal(() => Promise.reject(new MillraceError('PORT_IN_USE', 'port 9000 is taken')));
  expect(await run([])).toBe(1);
  expect(seen.err).toBe(
    'millrace: port 9000 is taken; --port (gRPC), --rest_port, --mlserver_port and --metrics_port choose others\n',
  );
});

interface Pretended {
  readonly start: StartServer;
  readonly started: Promise<Settings>;
  stops: number;
}

function pretendedServer(stop: () => Promise<void> = () => Promise.resolve()): Pretended {
  let resolveStarted: (settings: Settings) => void;
  const server: Pretended = {
    started: new Promise((resolve) => (resolveStarted = resolve)),
    stops: 0,
    start: async ({ settings, loadServables }) => {
      await loadServables();
      setImmediate(() => resolveStarted(settings));
      const stopOnce = (): Promise<void> => {
        server.stops++;
        return stop();
      };
      const list = () => [
        { name: 'words', state: 'ready' },
        { name: 'torn', state: 'unavailable' },
      ];
      return { grpcPort: 1234, restPort: 5678, dataPlane: { list }, stop: stopOnce };
    },
  };
  return server;
}

test('serve says where it listens and what it serves, and stops on a signal', async () => {
  const server = pretendedServer();
  const { run, seen, signal, listens } = terminal(server.start);
  const exit = run(['--rest_port', '0', '--log_level', 'error']);
  expect((await server.started).restPort).toBe(0);
  expect(seen.err).toContain('millrace is ready: gRPC 127.0.0.1:1234, REST http://127.0.0.1:5678');
  expect(seen.err).toContain('words; not available, see the log: torn');
  expect(server.stops).toBe(0);
  signal('SIGTERM');
  expect(await exit).toBe(0);
  expect(server.stops).toBe(1);
  expect(listens()).toBe(false);
});

test('a second signal does not wait for the server to stop', async () => {
  const server = pretendedServer(() => new Promise(() => {}));
  const { run, signal } = terminal(server.start);
  const exit = run(['--log_level', 'error']);
  await server.started;
  signal('SIGINT');
  signal('SIGINT');
  expect(await exit).toBe(1);
});

test('a signal before the server is ready gives its start up', async () => {
  let hasStarted: (() => void) | undefined;
  const started = new Promise<void>((resolve) => (hasStarted = resolve));
  const { run, seen, signal } = terminal(async ({ signal: given }) => {
    hasStarted?.();
    return new Promise((_, reject) => given.addEventListener('abort', () => reject(given.reason as Error)));
  });
  const exit = run(['--log_level', 'error']);
  await started;
  signal('SIGTERM');
  expect(await exit).toBe(0);
  expect(seen.err).toBe('millrace: SIGTERM, stopping before it was ready (once more to end at once)\n');
});

test('the servables that come with Millrace can all be specified', async () => {
  const path = new URL('../../graphs/config.json', import.meta.url);
  const { loadOvmsConfig } = await import('../serving/layouts/ovms-config.ts');
  const { specs, broken, warnings } = await loadOvmsConfig(path.pathname);
  expect({ broken, warnings }).toEqual({ broken: [], warnings: [] });
  expect(specs.map(({ name }) => name).sort()).toEqual([
    'anomaly',
    'counter',
    'detect',
    'identity',
    'sensor_gru',
    'shapes',
    'words',
  ]);
});
