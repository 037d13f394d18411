import { expect, test } from 'vitest';
import { resolveSettings } from './resolve.ts';
import { defaultSettings } from './settings.ts';

test('without any source every option has its default', () => {
  const { settings, origins } = resolveSettings({});
  expect(settings).toEqual(defaultSettings());
  expect(settings.port).toBe(9000);
  expect(new Set([...origins.values()].map(({ kind }) => kind))).toEqual(new Set(['default']));
});

test('flags beat the environment, which beats the file, which beats the default', () => {
  const { settings, origins } = resolveSettings({
    file: { path: 'config.json', section: { port: 1, rest_port: 1, max_sessions: 1 } },
    environment: { MILLRACE_PORT: '2', MILLRACE_REST_PORT: '2', PATH: '/bin' },
    flags: { port: '3' },
  });
  expect(settings).toMatchObject({ port: 3, restPort: 2, maxSessions: 1, maxRequestsInFlight: 4096 });
  expect(origins.get('port')).toEqual({ kind: 'flag', text: '--port' });
  expect(origins.get('rest_port')).toEqual({ kind: 'environment', text: 'MILLRACE_REST_PORT' });
  expect(origins.get('max_sessions')).toEqual({ kind: 'file', text: 'config.json: server.max_sessions' });
  expect(origins.get('hosts')).toEqual({ kind: 'default', text: 'default' });
});

test('the result cannot be changed', () => {
  expect(Object.isFrozen(resolveSettings({}).settings)).toBe(true);
});

test('log levels are taken in any case and as OVMS spells them', () => {
  expect(resolveSettings({ flags: { log_level: 'INFO' } }).settings.logLevel).toBe('info');
  expect(resolveSettings({ environment: { MILLRACE_LOG_LEVEL: 'WARNING' } }).settings.logLevel).toBe('warn');
  expect(resolveSettings({ file: { path: 'c', section: { log_level: 'Debug' } } }).settings.logLevel).toBe('debug');
});

test('texts become the types of their options', () => {
  const flags = {
    model_name: 'm',
    model_path: '12',
    plugin_config: '{"NUM_STREAMS": "1"}',
    strict: 'true',
    metrics_enable: '0',
    shutdown_grace_s: '0.5',
    allowed_origins: 'https://a.example, http://localhost:3000',
  };
  expect(resolveSettings({ flags }).settings).toMatchObject({
    modelPath: '12',
    pluginConfig: { NUM_STREAMS: '1' },
    strict: true,
    metricsEnable: false,
    shutdownGraceS: 0.5,
    allowedOrigins: ['https://a.example', 'http://localhost:3000'],
  });
});

test.each([
  [{ flags: { prot: '1' } }, 'flag', 'unknown flag --prot; did you mean "port"?'],
  [
    { environment: { MILLRACE_PROT: '1' } },
    'environment',
    'unknown environment variable MILLRACE_PROT; did you mean "MILLRACE_PORT"?',
  ],
  [
    { file: { path: 'c.json', section: { prot: 1 } } },
    'file',
    'c.json: server: unknown key "prot"; did you mean "port"?',
  ],
  [{ flags: { port: 'abc' } }, 'flag', '--port: "abc" given, a whole number from 0 to 65535 (TCP port) expected'],
  [
    { environment: { MILLRACE_PORT: '-1' } },
    'environment',
    'MILLRACE_PORT: -1 given, a whole number from 0 to 65535 (TCP port) expected',
  ],
  [
    { file: { path: 'c.json', section: { port: '9000' } } },
    'file',
    'c.json: server.port: "9000" given, a whole number from 0 to 65535 (TCP port) expected',
  ],
  [{ flags: { log_level: 'loud' } }, 'flag', '--log_level: "loud" given, trace, debug, info, warn, error expected'],
  [
    { flags: { shutdown_grace_s: '2147484' } },
    'flag',
    '--shutdown_grace_s: 2147484 given, a number from 0 to 2147483 (seconds) expected',
  ],
  [
    { flags: { run_deadline_ms: '2147483648' } },
    'flag',
    '--run_deadline_ms: 2147483648 given, a whole number from 0 to 2147483000 (milliseconds) expected',
  ],
  [{ flags: { max_sessions: '1.5' } }, 'flag', '--max_sessions: 1.5 given, a whole number from 1 (sessions) expected'],
  [
    { file: { path: 'c.json', section: { allowed_origins: '*' } } },
    'file',
    'c.json: server.allowed_origins: "*" given, a list of texts (separated by commas outside the file) expected',
  ],
  [{ flags: { strict: 'maybe' } }, 'flag', '--strict: "maybe" given, true or false expected'],
  [{ file: { path: 'c.json', section: [] } }, 'file', 'c.json: server: [] given, an object expected'],
  [
    { file: { path: 'c.json', section: { config_path: 'x' } } },
    'file',
    'c.json: server.config_path: only as --config_path or MILLRACE_CONFIG_PATH',
  ],
  [
    { flags: { model_name: 'm', config_path: 'c' } },
    'flag',
    '--model_name: not together with config_path, whose file says what is served',
  ],
  [{ environment: { MILLRACE_MODEL_PATH: 'm' } }, 'environment', 'MILLRACE_MODEL_PATH: needs model_name too'],
  [{ flags: { nireq: '2' } }, 'flag', '--nireq: needs model_path too'],
])('%j is refused', (sources, origin, message) => {
  expect(() => resolveSettings(sources)).toThrow(
    expect.objectContaining({ reason: 'CONFIG_INVALID', message, details: { origin } }) as Error,
  );
});

test('what belongs together comes together', () => {
  expect(() => resolveSettings({ flags: { tls_cert: 'c' } })).toThrow('--tls_cert: needs tls_key too');
  expect(() => resolveSettings({ environment: { MILLRACE_TLS_KEY: 'k' } })).toThrow('MILLRACE_TLS_KEY: needs tls_cert');
  expect(() => resolveSettings({ flags: { tls_client_ca: 'c' } })).toThrow('--tls_client_ca: needs tls_cert too');
  expect(() => resolveSettings({ flags: { tls_cert: 'c', tls_key: 'k', tls_listeners: 'grpc,http' } })).toThrow(
    /^--tls_listeners: \["grpc","http"\] given, a list of grpc, rest, .* \(separated by commas outside the file\) expected/,
  );
});

test("files in the file count from its folder, others from where the server starts; a client's token is none of ours", () => {
  const { settings } = resolveSettings({
    file: { path: '/etc/millrace/config.json', section: { tls_cert: 'server.crt', tls_key: '/keys/server.key' } },
    environment: { MILLRACE_TOKEN: 'secret' },
    flags: { token_file: 'tokens.json' },
  });
  expect(settings).toMatchObject({
    tlsCert: '/etc/millrace/server.crt',
    tlsKey: '/keys/server.key',
    tokenFile: 'tokens.json',
  });
});

test('every fault is told at once', () => {
  expect(() => resolveSettings({ flags: { port: 'x', rest_port: 'y' } })).toThrow(/--port: .*; --rest_port: /);
});

test.each(['MILLRACE', 'MILLRACE_REST', 'MILLRACE_PREDICTOR_00001'])(
  "Kubernetes' variables for a service are not taken for options: %s",
  (service) => {
    const environment = {
      [`${service}_PORT`]: 'tcp://10.0.0.7:9000',
      [`${service}_SERVICE_HOST`]: '10.0.0.7',
      [`${service}_SERVICE_PORT`]: '9000',
      [`${service}_SERVICE_PORT_GRPC`]: '9000',
      [`${service}_PORT_9000_TCP`]: 'tcp://10.0.0.7:9000',
      [`${service}_PORT_9000_TCP_ADDR`]: '10.0.0.7',
    };
    const { settings, warnings } = resolveSettings({ environment });
    expect(settings).toEqual(defaultSettings());
    expect(warnings).toEqual([
      `${service}_PORT=tcp://10.0.0.7:9000 is Kubernetes' link to a service called "${service.toLowerCase().replaceAll('_', '-')}", so it is ignored`,
    ]);
  },
);
