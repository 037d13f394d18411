import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { runPython } from '../support/python.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

let server: TestServer;

beforeAll(async () => {
  const config = join(ROOT, 'test/conformance/tritonclient/servables/config.json');
  server = await startServer({ config, flags: ['--hosts', '2', '--shared_memory'] });
});
afterAll(async () => {
  await server.stop();
});

const scripts = ['decoupled', 'cancellation', 'http_edges', 'parameters', 'datatypes', 'lifecycle'];
if (existsSync('/dev/shm')) scripts.push('shared_memory');

/** The real clients on models and runtimes made for them, each script a set of checks: see tritonclient/harness.py. */
test.each(scripts)('tritonclient on servables of its own: %s', async (script) => {
  const addresses = { grpc: server.grpcAddress, http: new URL(server.restUrl).host };
  const results = (await runPython(`test/conformance/tritonclient/${script}.py`, addresses)) as Record<string, string>;
  expect(Object.keys(results)).not.toEqual([]);
  expect(Object.fromEntries(Object.entries(results).filter(([, result]) => result !== 'ok'))).toEqual({});
});
