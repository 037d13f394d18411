import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

let server: TestServer;

beforeAll(async () => {
  const module = join(ROOT, 'test/fixtures/runtimes/talker.js');
  server = await startServer({
    config: { runtimes: [{ name: 'talker', implementation: module }] },
    flags: ['--hosts', '1', '--log_level', 'warn'],
  });
});
afterAll(async () => {
  await server.stop();
});

async function setLog(settings: object): Promise<void> {
  const reply = await fetch(`${server.restUrl}/v2/logging`, { method: 'POST', body: JSON.stringify(settings) });
  expect(reply.status).toBe(200);
}

async function say(text: string): Promise<void> {
  const body = JSON.stringify({ inputs: [{ name: 'text', shape: [1], datatype: 'BYTES', data: [text] }] });
  const reply = await fetch(`${server.restUrl}/v2/models/talker/infer`, { method: 'POST', body });
  expect(await reply.text()).toContain(text);
}

/** Messages of the runtime, which its host logs. */
const said = (): string[] =>
  server
    .logs()
    .split('\n')
    .flatMap((line) => (line.includes('"servable":"talker"') ? [(JSON.parse(line) as { msg: string }).msg] : []));

test('log settings reach the hosts, which log as they say from the next call on', async () => {
  await say('one');
  await setLog({ log_info: true });
  await say('two');
  await setLog({ log_info: false, log_verbose_level: 1 });
  await say('three');
  await setLog({ log_verbose_level: 0, log_warning: false, log_error: false });
  await say('four');
  await expect.poll(() => said().includes('debug three')).toBe(true);
  expect(said().filter((message) => /(one|two|three|four)$/.test(message))).toEqual([
    'warn one',
    'info two',
    'warn two',
    'debug three',
    'warn three',
  ]);
});
