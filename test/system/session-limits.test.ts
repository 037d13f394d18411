import { expect, it } from 'vitest';
import { OpenStream } from '../support/open-stream.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/start-server.ts';

const RESOURCE_EXHAUSTED = 8;
const TOO_MANY_REQUESTS = 429;

const COUNTER = `
  input_stream: "input" output_stream: "output"
  node { calculator: "CounterCalculator" input_stream: "input" output_stream: "output" }`;
/** Answers its one request and keeps the stream open for as long as its client does. */
const LASTING = `
  const text = { datatype: 'BYTES', shape: [1] };
  export default {
    decoupled: true,
    inputs: [{ name: 'text', ...text }],
    outputs: [{ name: 'text', ...text }],
    async *predictStream(requests, { signal }) {
      for await (const { inputs: [input] } of requests) {
        yield { outputs: [{ ...input, name: 'text' }] };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      }
    },
  };`;

it('one session more than max_sessions is refused over gRPC and REST, and told in the metrics; the others go on', async () => {
  await using folder = await ScratchFolder.create();
  await folder.put('few/graph.pbtxt', COUNTER);
  await folder.put('many/graph.pbtxt', COUNTER);
  const config = await folder.put('config.json', {
    server: { max_sessions: 3 },
    mediapipe_config_list: [{ name: 'few', max_sessions: 1 }, { name: 'many' }],
    runtimes: [{ name: 'lasting', implementation: await folder.put('lasting.js', LASTING), max_sessions: 1 }],
  });
  await using server = await startServer({ config, flags: ['--hosts', '1'] });
  const refusal = async (servable: string): Promise<readonly [code: number, text: string]> => {
    const stream = new OpenStream(server.grpcAddress, servable);
    void stream.add(1);
    return [await stream.ended, stream.text];
  };
  const generate = (signal?: AbortSignal): Promise<Response> => {
    const body = JSON.stringify({ text: 'a' });
    return fetch(`${server.restUrl}/v2/models/lasting/generate_stream`, {
      method: 'POST',
      body,
      signal: signal ?? null,
    });
  };
  const metrics = async (): Promise<string> => (await fetch(`${server.restUrl}/metrics`)).text();

  const few = new OpenStream(server.grpcAddress, 'few');
  expect(await few.add(1)).toBe(1);
  expect(await refusal('few')).toEqual([
    RESOURCE_EXHAUSTED,
    "1 sessions of 'few' are open, and the limit is 1 (max_sessions of the servable's entry)",
  ]);

  const leaving = new AbortController();
  const lasting = await generate(leaving.signal);
  expect(lasting.status).toBe(200);
  const refused = await generate();
  expect([refused.status, await refused.json()]).toMatchObject([
    TOO_MANY_REQUESTS,
    { reason: 'LIMIT_REACHED', error: expect.stringContaining("1 sessions of 'lasting' are open") as string },
  ]);

  const many = new OpenStream(server.grpcAddress, 'many');
  expect(await many.add(1)).toBe(1);
  expect(await refusal('many')).toEqual([RESOURCE_EXHAUSTED, '3 sessions are open, and the limit is 3 (max_sessions)']);

  expect((await metrics()).split('\n')).toEqual(
    expect.arrayContaining([
      'millrace_sessions{name="few"} 1',
      'millrace_sessions{name="many"} 1',
      'millrace_sessions_refused{name="few",scope="servable"} 1',
      'millrace_sessions_refused{name="many",scope="server"} 1',
      'millrace_sessions_refused{name="lasting",scope="servable"} 1',
    ]),
  );
  expect(await few.add(2)).toBe(3);
  expect(await many.close()).toBe(0);
  leaving.abort();
  await expect.poll(metrics).toContain('millrace_sessions{name="lasting"} 0\n');
  const after = new AbortController();
  expect((await generate(after.signal)).status).toBe(200);
  after.abort();
  expect(await few.close()).toBe(0);
});
