import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fuzzSeed } from '../support/mutations.ts';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** Calls of each operation, beside those that cover its schema. */
const EXAMPLES = Number(process.env['OPENAPI_EXAMPLES'] ?? 5);
let server: TestServer;

beforeAll(async () => {
  const config = join(ROOT, 'test/conformance/tritonclient/servables/config.json');
  server = await startServer({
    config,
    flags: ['--hosts', '1', '--shared_memory', '--file_system_poll_wait_seconds', '0'],
  });
});
afterAll(async () => {
  await server.stop();
});

/** schemathesis: what it prints, and its exit code. */
async function schemathesis(url: string): Promise<{ code: number | null; output: string }> {
  const checks = 'status_code_conformance,content_type_conformance,response_schema_conformance';
  const limits = ['--max-examples', String(EXAMPLES), '--seed', String(fuzzSeed()), '--request-timeout', '30'];
  const phases = ['--phases', 'coverage,fuzzing', '--suppress-health-check', 'all', '--workers', '2'];
  const program = ['-m', 'schemathesis.cli', 'run', url, '--checks', checks, ...limits, ...phases];
  const child = spawn(await pythonPath('openapi'), program, {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, output };
}

test('every operation of openapi.json answers as it is described, whatever it is called with', async () => {
  const { code, output } = await schemathesis(`${server.restUrl}/openapi.json`);
  expect(code, output.slice(output.indexOf('FAILURES')).slice(0, 8000)).toBe(0);
  expect(output).toMatch(/Tested: [7-9]\d/);
  const broken = server
    .logs()
    .split('\n')
    .filter((line) => /request failed|fault in a host|host lost/.test(line));
  expect(broken.slice(0, 3)).toEqual([]);
}, 600_000);
