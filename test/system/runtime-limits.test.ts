/** Runtimes whose code does not return: loads and calls that spin cost their own host, and nobody else anything. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CODES } from '../../src/base/errors.ts';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { until } from '../support/until.ts';

const SPIN = `export default { predict({ id }) { while (id === 'spin'); return { outputs: [] }; } };`;

let folder: ScratchFolder;
let server: TestServer;
let client: KserveGrpc;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  await folder.put('spin.js', SPIN);
  await folder.put('never.js', `await new Promise(() => {});\n${SPIN}`);
  await folder.put('spins-at-import.js', `while (true);\n${SPIN}`);
  const entry = (name: string, file: string, more: object) => ({ name, implementation: `./${file}`, ...more });
  const config = await folder.put('config.json', {
    runtimes: [
      entry('spin', 'spin.js', { call_deadline_ms: 500 }),
      entry('bystander', 'spin.js', {}),
      entry('never', 'never.js', { load_timeout_ms: 300 }),
      entry('spins-at-import', 'spins-at-import.js', { load_timeout_ms: 300 }),
    ],
  });
  server = await startServer({ config, flags: ['--file_system_poll_wait_seconds', '1'] });
  client = new KserveGrpc(server.grpcAddress);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const infer = (model_name: string, id = '') => client.unary('ModelInfer', { model_name, id });

it.each([
  ['never', /runtime 'never' did not load within 300 ms \(load_timeout_ms\)/],
  ['spins-at-import', /it did not load within 300 ms \(load_timeout_ms\) and its host was killed, 2 times in a row/],
])('a module that never finishes loading leaves its runtime unavailable: %s', async (name, reason) => {
  const outcome = await infer(name);
  expect(outcome.code).toBe(CODES.UNAVAILABLE);
  expect(outcome.text).toMatch(reason);
  expect((await infer('bystander')).code).toBe(CODES.OK);
});

it('a call that does not return costs its host, which is replaced; others go on', async () => {
  const [spun, other] = await Promise.all([infer('spin', 'spin'), infer('bystander')]);
  expect(spun.code).toBe(CODES.UNAVAILABLE);
  expect(spun.text).toContain('did not return within 500 ms (call_deadline_ms) and its host was killed');
  expect(other.code).toBe(CODES.OK);
  await until(async () => (await infer('spin')).code === CODES.OK);
});

it('a module that is mended is loaded, whatever its first version still does', async () => {
  await folder.put('never.js', SPIN);
  await until(async () => (await infer('never')).code === CODES.OK);
});
