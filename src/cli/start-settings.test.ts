import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScratchFolder } from '../../test/support/scratch-folder.ts';
import { planStart, type StartPlan } from './start-settings.ts';

let folder: ScratchFolder;
beforeEach(async () => {
  folder = await ScratchFolder.create();
});
afterEach(() => folder[Symbol.asyncDispose]());

/** A plan for the folder `models` of the working folder. */
async function plan(
  settings: object | undefined,
  variables: Record<string, string> = {},
  flags: Record<string, string> = {},
): Promise<StartPlan> {
  await folder.put('models/m/model-settings.json', { implementation: 'm.M' });
  if (settings !== undefined) await folder.put('models/settings.json', settings);
  return planStart({ folder: 'models', flags, variables, workingFolder: folder.path });
}

test("the ports are MLServer's, on this machine alone unless a host is set, which is noted", async () => {
  const { resolved, notes } = await plan(undefined);
  expect(resolved.settings).toMatchObject({
    port: 9000,
    restPort: 8080,
    mlserverPort: 8081,
    metricsPort: 8082,
    restBindAddress: '127.0.0.1',
    grpcBindAddress: '127.0.0.1',
    hosts: 1,
  });
  expect(notes).toEqual([expect.stringMatching(/^only this machine can connect .* 0\.0\.0\.0: set host/)]);
  const open = await plan({ host: '0.0.0.0' });
  expect(open.resolved.settings).toMatchObject({ restBindAddress: '0.0.0.0', grpcBindAddress: '0.0.0.0' });
  expect(open.notes).toEqual([]);
});

test('settings.json < MILLRACE_* < flags, and a "millrace" section is in between', async () => {
  const settings = {
    http_port: 1,
    grpc_port: 2,
    metrics_port: 3,
    grpc_max_message_length: 4,
    millrace: { mlserver_port: 20, metrics_port: 30, max_sessions: 5 },
  };
  const { resolved } = await plan(settings, { MILLRACE_METRICS_PORT: '300' }, { metrics_port: '3000' });
  const { settings: got, origins } = resolved;
  expect(got).toMatchObject({
    restPort: 1,
    mlserverPort: 20,
    metricsPort: 3000,
    grpcMaxMessageBytes: 4,
    maxSessions: 5,
  });
  const path = join(folder.path, 'models/settings.json');
  expect(origins.get('rest_port')?.text).toBe(`${path}: http_port`);
  expect(origins.get('mlserver_port')?.text).toBe(`${path}: millrace.mlserver_port`);
  expect(origins.get('metrics_port')?.text).toBe('--metrics_port');
  expect((await plan(settings, { MILLRACE_REST_PORT: '9' })).resolved.settings.restPort).toBe(9);
});

test('fields that are no options of ours shape the answers', async () => {
  const { mlserver, resolved } = await plan({
    server_name: 's',
    server_version: 'v',
    extensions: ['e'],
    gzip_enabled: false,
    root_path: '/p',
    metrics_endpoint: '/m',
    metrics_rest_server_prefix: 'r',
    load_models_at_startup: false,
    cache_enabled: true,
    cache_size: 7,
    cors_settings: { allow_origins: ['*'] },
    parallel_workers_timeout: 9,
    debug: true,
    grpc_max_message_length: -1,
  });
  expect(mlserver).toMatchObject({
    serverName: 's',
    serverVersion: 'v',
    extensions: ['e'],
    gzip: false,
    rootPath: '/p',
    metricsPath: '/m',
    metricsPrefix: 'r',
    loadsAtOnce: false,
    cacheEntries: 7,
    cors: { allowOrigins: ['*'] },
  });
  expect(resolved.settings).toMatchObject({ shutdownGraceS: 9, logLevel: 'debug', grpcMaxMessageBytes: 2 ** 30 });
});

test.each([null, ''])('metrics_endpoint %j turns the metrics off', async (metrics_endpoint) => {
  expect((await plan({ metrics_endpoint })).resolved.settings.metricsEnable).toBe(false);
});

test("a folder that uses port 9000 keeps it; Triton's dialect takes a free one, unless its port was chosen", async () => {
  const { resolved, notes } = await plan({ grpc_port: 9000, host: '::1' });
  expect(resolved.settings).toMatchObject({ port: 0, mlserverPort: 9000 });
  expect(notes).toEqual([expect.stringContaining("port 9000 is used by these settings, so gRPC in Triton's dialect")]);
  expect((await plan({ grpc_port: 9000 }, {}, { port: '9000' })).resolved.settings.port).toBe(9000);
});

test('a folder that is none, or other sources of servables, are refused', async () => {
  await folder.put('file', '');
  const start = (given: string) => planStart({ folder: given, flags: {}, variables: {}, workingFolder: folder.path });
  await expect(start('none')).rejects.toThrow('none: no such folder');
  await expect(start('file')).rejects.toThrow('file: a file given, the folder that holds it expected');
  await expect(plan({}, {}, { config_path: 'x' })).rejects.toThrow('--config_path: not with millrace start');
  await expect(plan({}, { MILLRACE_MODEL_NAME: 'm', MILLRACE_MODEL_PATH: 'p' })).rejects.toThrow('MILLRACE_MODEL_NAME');
  await expect(plan({ model_repository_root: 'none' })).resolves.toBeDefined();
});

test('without a folder the settings name it', async () => {
  await folder.put('settings.json', { model_repository_root: 'models' });
  await folder.put('models/m/model-settings.json', { implementation: 'm.M' });
  await folder.put('other/n/model-settings.json', { implementation: 'm.M' });
  const { root, loadServables } = await planStart({
    folder: undefined,
    flags: {},
    variables: {},
    workingFolder: folder.path,
  });
  expect(root).toBe(join(folder.path, 'models'));
  expect((await loadServables()).specs).toMatchObject([{ name: 'm', instances: 1 }]);
});

test('an option of ours that is wrong names where it came from', async () => {
  await expect(plan({ millrace: { hsts: 2 } })).rejects.toThrow('settings.json: millrace: unknown key "hsts"');
  await expect(plan({ millrace: { hosts: 'two' } })).rejects.toThrow('settings.json: millrace.hosts: "two" given');
});
