import { afterAll, beforeAll, expect, test } from 'vitest';
import { runPython } from '../support/python.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.stop();
});

/** The real clients, each script a set of checks: see tritonclient/harness.py. */
test.each(['grpc_unary', 'grpc_stream', 'grpc_aio', 'http_client'])('tritonclient: %s', async (script) => {
  const addresses = { grpc: server.grpcAddress, http: new URL(server.restUrl).host };
  const results = (await runPython(`test/conformance/tritonclient/${script}.py`, addresses)) as Record<string, string>;
  expect(Object.keys(results)).not.toEqual([]);
  expect(Object.fromEntries(Object.entries(results).filter(([, result]) => result !== 'ok'))).toEqual({});
});
