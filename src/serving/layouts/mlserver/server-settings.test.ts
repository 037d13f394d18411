import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScratchFolder } from '../../../../test/support/scratch-folder.ts';
import { readVariables } from './environment.ts';
import { serverSchema } from './server-schema.ts';
import { corsOf, modelsFolder, readServerSettings, type ServerSettings } from './server-settings.ts';

let folder: ScratchFolder;
beforeEach(async () => {
  folder = await ScratchFolder.create();
});
afterEach(() => folder[Symbol.asyncDispose]());

async function read(settings?: object | string, environment: Record<string, string> = {}): Promise<ServerSettings> {
  if (settings !== undefined) await folder.put('settings.json', settings);
  return readServerSettings(folder.path, await readVariables(environment, folder.path));
}

test('settings.json beats variables, which beat .env', async () => {
  await folder.put('.env', 'MLSERVER_HTTP_PORT=1\nMLSERVER_GRPC_PORT=2\nMLSERVER_METRICS_PORT=3\n');
  const { fields, origins } = await read({ http_port: 10 }, { MLSERVER_HTTP_PORT: '20', mlserver_grpc_port: '21' });
  expect(fields).toEqual({ http_port: 10, grpc_port: 21, metrics_port: 3 });
  expect(Object.fromEntries(origins)).toEqual({
    http_port: `${join(folder.path, 'settings.json')}: http_port`,
    grpc_port: 'MLSERVER_GRPC_PORT',
    metrics_port: '.env: MLSERVER_METRICS_PORT',
  });
});

test('a folder needs no settings.json', async () => {
  expect((await read()).fields).toEqual({});
});

test('numbers and booleans may be texts; lists and objects in variables are JSON', async () => {
  const { fields } = await read(
    { debug: 'false', http_port: '8090', gzip_enabled: 0 },
    {
      MLSERVER_LOAD_MODELS_AT_STARTUP: 'False',
      MLSERVER_EXTENSIONS: '["a", "b"]',
      MLSERVER_CORS_SETTINGS: '{"allow_origins": ["*"]}',
      MLSERVER_SERVER_NAME: '7',
      MLSERVER_METRICS_ENDPOINT: 'null',
    },
  );
  expect(fields).toEqual({
    debug: false,
    http_port: 8090,
    gzip_enabled: false,
    load_models_at_startup: false,
    extensions: ['a', 'b'],
    cors_settings: { allow_origins: ['*'] },
    server_name: '7',
    metrics_endpoint: 'null',
  });
});

test.each([
  [{ kafka_enabled: true }, 'settings.json: kafka_enabled: true given, false expected: Kafka is not spoken; let'],
  [{ tracing_server: 'otel:4317' }, 'tracing_server: "otel:4317" given, null expected: traces are not exported'],
  [{ model_repository_implementation: 'a.B' }, 'null expected: models are read from the folder'],
  [{ model_repository_implementation_args: { a: 1 } }, '{} expected: models are read from the folder'],
  [{ http_port: 'eighty' }, 'http_port: "eighty" given, number expected'],
  [{ http_port: 70_000 }, 'http_port: 70000 given, at most 65535 expected'],
  [{ parallel_workers: -1 }, 'parallel_workers: -1 given, at least 0 expected'],
  [{ cors_settings: { max_age: 'x' } }, 'cors_settings.max_age: "x" given'],
  [{ debug: 'perhaps' }, 'debug: "perhaps" given, boolean expected'],
  ['[]', 'a JSON object expected'],
  ['{', 'not valid JSON'],
])('%j cannot be taken, and says why', async (settings, reason) => {
  await expect(read(settings)).rejects.toMatchObject({
    reason: 'CONFIG_INVALID',
    message: expect.stringContaining(reason) as string,
  });
});

test('every fault is told at once, with where it came from', async () => {
  await expect(read({ kafka_enabled: true }, { MLSERVER_GRPC_PORT: 'x' })).rejects.toMatchObject({
    message: expect.stringMatching(/MLSERVER_GRPC_PORT: "x" given.*; .*kafka_enabled/) as string,
  });
});

test('what cannot be honoured passes at its default', async () => {
  const { fields } = await read({
    kafka_enabled: false,
    kafka_servers: 'localhost:9092',
    tracing_server: null,
    model_repository_implementation: null,
    model_repository_implementation_args: {},
  });
  expect(fields).toMatchObject({ kafka_enabled: false, tracing_server: null });
});

test('unknown keys and variables, and settings without an effect, are warned of', async () => {
  const { warnings } = await read(
    { htp_port: 1, logging_settings: 'logging.conf', metrics_dir: './m' },
    { MLSERVER_GRPC_PROT: '1', MLSERVER_MODEL_NAME: 'n', MLSERVER_INFER_MODEL: 'x', MLSERVER_SERVICE_HOST: '10.0.0.1' },
  );
  const path = join(folder.path, 'settings.json');
  expect(warnings).toEqual([
    `${path}: unknown key "htp_port" is ignored; did you mean "http_port"?`,
    'unknown variable MLSERVER_GRPC_PROT is ignored; did you mean "MLSERVER_GRPC_PORT"?',
    `${path}: metrics_dir: no metrics are written to files, so it is not needed`,
    `${path}: logging_settings: settings of Python's logging are not read; the log is JSON lines on stdout, use --log_level`,
  ]);
});

test('cors_settings have the defaults of MLServer', async () => {
  const { fields } = await read({ cors_settings: { allow_origins: ['https://a.example'] } });
  expect(corsOf(fields)).toEqual({
    allowOrigins: ['https://a.example'],
    allowOriginRegex: undefined,
    allowCredentials: false,
    allowMethods: ['GET'],
    allowHeaders: [],
    exposeHeaders: [],
    maxAgeS: 600,
  });
  expect(corsOf({})).toBeUndefined();
});

test('the folder of the command beats the one of the settings', () => {
  expect(modelsFolder(undefined, { model_repository_root: 'models' }, '/w')).toBe('/w/models');
  expect(modelsFolder('here', { model_repository_root: 'models' }, '/w')).toBe('/w/here');
  expect(modelsFolder(undefined, {}, '/w')).toBe('/w');
});

test('every field has a description and a default for the documentation', () => {
  for (const [key, schema] of Object.entries(serverSchema.shape)) {
    expect(schema.meta(), key).toMatchObject({
      description: expect.any(String) as string,
      standard: expect.any(String) as string,
    });
  }
});
