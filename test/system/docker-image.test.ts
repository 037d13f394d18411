import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { join, dirname } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';

const run = promisify(execFile);

test('the linter finds nothing in the Dockerfile', async () => {
  const hadolint = join(dirname(await pythonPath()), 'hadolint');
  const { stdout } = await run(hadolint, ['--no-color', 'Dockerfile'], { cwd: ROOT });
  expect(stdout).toBe('');
});

async function healthcheck(port: number): Promise<number> {
  const env = { ...process.env, MILLRACE_REST_PORT: String(port) };
  return run(process.execPath, ['scripts/healthcheck.mjs'], { cwd: ROOT, env }).then(
    () => 0,
    (error: { code: number }) => error.code,
  );
}

function answer(status: number, port: number): Promise<Server> {
  const server = createServer((_, response) => response.writeHead(status).end());
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

test('the health check passes when the server is ready, fails when it is not and when nothing listens', async () => {
  const port = await freePort();
  expect(await healthcheck(port)).toBe(1);
  for (const [status, code] of [
    [200, 0],
    [503, 1],
  ] as const) {
    const server = await answer(status, port);
    expect(await healthcheck(port)).toBe(code);
    await new Promise((closed) => server.close(closed));
  }
});
