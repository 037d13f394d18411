import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const ADD = join(ROOT, 'test/fixtures/models/add.onnx');
const ROW = { datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };
const BODY = JSON.stringify({
  inputs: [
    { name: 'A', ...ROW },
    { name: 'B', ...ROW },
  ],
});

let folder: ScratchFolder;
beforeAll(async () => {
  folder = await ScratchFolder.create();
  const needs = (count: number, priority: number): string =>
    `instance_group { kind: KIND_CPU count: 2 rate_limiter { resources { name: "R" count: ${count} } priority: ${priority} } }`;
  for (const [name, count, priority] of [
    ['first', 2, 1],
    ['second', 1, 2],
    ['greedy', 9, 1],
  ] as const) {
    await folder.copy(ADD, `${name}/1/model.onnx`);
    await folder.put(`${name}/config.pbtxt`, needs(count, priority));
  }
});
afterAll(() => folder[Symbol.asyncDispose]());

const post = async (server: TestServer, path: string, body = '{}'): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(`${server.restUrl}${path}`, { method: 'POST', body });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
};

const reasons = async (server: TestServer): Promise<Readonly<Record<string, string>>> => {
  const { body } = await post(server, '/v2/repository/index');
  return Object.fromEntries((body as { name: string; reason: string }[]).map(({ name, reason }) => [name, reason]));
};

describe('--rate_limit execution_count', () => {
  test('models that share a resource all come to their turn, and one that needs more than there is does not load', async () => {
    const flags = ['--model_repository', folder.path, '--hosts', '2'];
    await using server = await startServer({
      flags: [...flags, '--rate-limit', 'execution_count', '--rate-limit-resource', 'R:2'],
    });
    // A busy machine may cost a host, which comes again.
    await expect
      .poll(() => reasons(server), { timeout: 20_000 })
      .toMatchObject({
        first: '',
        second: '',
        greedy: expect.stringContaining(
          'Resource count for "R" is limited to 2 which will prevent scheduling of one or more model instances, the minimum required count is 9',
        ) as string,
      });
    const names = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 'first' : 'second'));
    const answers = await Promise.all(names.map((name) => post(server, `/v2/models/${name}/infer`, BODY)));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(answers[0]?.body).toMatchObject({ outputs: [{ data: [2, 4, 6, 8] }] });
  });
});

describe('--model_control_mode none', () => {
  test('serves all models as they are at the start; clients may neither load nor unload', async () => {
    await using server = await startServer({
      flags: [
        '--model_repository',
        folder.path,
        '--model-control-mode=none',
        '--file_system_poll_wait_seconds',
        '0.05',
      ],
    });
    for (const path of ['first/load', 'first/unload', 'none/load', 'none/unload']) {
      const { status, body } = await post(server, `/v2/repository/models/${path}`);
      expect({ path, status }).toEqual({ path, status: 503 });
      expect(body).toMatchObject({
        error: expect.stringContaining('explicit model load / unload is not allowed if polling is enabled') as string,
      });
    }
    expect((await post(server, '/v2/models/greedy/infer', BODY)).status).toBe(200);
  });
});
