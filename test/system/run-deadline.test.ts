import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { OpenStream } from '../support/open-stream.ts';
import { ROOT } from '../support/paths.ts';
import { reasonOf, versionStates } from '../support/repository-states.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const UNAVAILABLE = 14;
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const SEEN = { timeout: 30_000 };
const DEADLINE_MS = 100;
const HOSTS = 2;

/** A run of `slow.onnx` takes some 400 ms or more, of which nothing can be cancelled. */
const slowModel = (name: string, run_deadline_ms: number): object => ({
  config: { name, base_path: join(ROOT, 'test/fixtures/models/slow.onnx'), run_deadline_ms },
});
const VALUES = 512 * 1024;
/** Comes back as it is: each output is the mean of a row. */
const slowRequest = (name: string, value = 0): object => ({
  model_name: name,
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [512, 1024] }],
  raw_input_contents: [Buffer.from(new Float32Array(VALUES).fill(value).buffer)],
});
const echoRequest = {
  model_name: 'echo',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1] }],
  raw_input_contents: [Buffer.alloc(4)],
};

let server: TestServer;
let grpc: KserveGrpc;
/** Hosts that were lost so far. */
let losses = 0;

beforeAll(async () => {
  server = await startServer({
    config: {
      model_config_list: [
        slowModel('late', DEADLINE_MS),
        slowModel('patient', 0),
        { config: { name: 'echo', base_path: join(ROOT, 'test/fixtures/models/identity_fp32.onnx') } },
      ],
      mediapipe_config_list: [{ name: 'counter', base_path: join(ROOT, 'graphs/counter') }],
      // A host of its own, which no run of a model touches.
      runtimes: [{ name: 'words', implementation: join(ROOT, 'models/words/words.js') }],
      server: { hosts: HOSTS, log_level: 'debug' },
    },
  });
  grpc = new KserveGrpc(server.grpcAddress);
});
afterAll(async () => {
  grpc.close();
  await server.stop();
});

/** Waits until every host, replacements included, has loaded what it should: graphs come last. */
const allHostsUp = (): Promise<void> =>
  expect
    .poll(() => server.logs().match(/"servable":"counter".*"servable loaded"/g)?.length ?? 0, SEEN)
    .toBe(HOSTS + losses);

const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(`${server.restUrl}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
};

const words = async (): Promise<number> => {
  const body = JSON.stringify({ prompt: 'a b', delay_s: 0 });
  const response = await fetch(`${server.restUrl}/v2/models/words/generate_stream`, { method: 'POST', body });
  return (await response.text()).split('data: ').length - 1;
};

/** Asks the front and a host that runs nothing, again and again, until `work` is done. */
async function askWhile<T>(work: Promise<T>): Promise<{ result: T; answers: ReadonlySet<string> }> {
  let isOver = false;
  const answers = new Set<string>();
  const asking = (async () => {
    while (!isOver) {
      const { responses } = await grpc.unary('ServerLive', {});
      const { status } = await fetch(`${server.restUrl}/v2/health/ready`);
      answers.add(JSON.stringify([responses, status, await words()]));
    }
  })();
  const result = await work;
  isOver = true;
  await asking;
  return { result, answers };
}

it('a run past its deadline costs its host: the caller hears why, and all that is elsewhere is answered', async () => {
  const before = server.children().map(({ pid }) => pid);
  const { result, answers } = await askWhile(grpc.unary('ModelInfer', slowRequest('late'), 60_000));
  expect(result).toMatchObject({
    code: UNAVAILABLE,
    text: expect.stringMatching(/deadline of 100 ms.*host was killed/) as string,
  });
  expect([...answers]).toEqual([JSON.stringify([[{ live: true }], 200, 2])]);
  losses++;
  await allHostsUp();
  const after = server.children().map(({ pid }) => pid);
  expect(after.filter((pid) => before.includes(pid))).toHaveLength(before.length - 1);
  expect(after).toHaveLength(before.length);
  expect(await versionStates(server, 'late')).toEqual(['1 READY']);
});

it('the same by REST is 503, and in a stream an error message, after which the stream goes on', async () => {
  const response = await fetch(`${server.restUrl}/v2/models/late/infer`, {
    method: 'POST',
    body: JSON.stringify({
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [512, 1024], data: new Array(VALUES).fill(0) }],
    }),
  });
  expect([response.status, await response.json()]).toMatchObject([
    503,
    { error: expect.stringMatching(/deadline of 100 ms/) as string },
  ]);
  losses++;
  await allHostsUp();

  const call = grpc.open('ModelStreamInfer', 60_000);
  call.on('error', () => {}); // `status` follows
  const answer = (): Promise<object> => new Promise((resolve) => call.once('data', resolve));
  const ended = new Promise<{ code: number }>((resolve) => call.on('status', resolve));
  const late = answer();
  call.write(slowRequest('late'));
  expect(await late).toMatchObject({ error_message: expect.stringMatching(/deadline of 100 ms/) as string });
  losses++;
  const next = answer();
  call.write(echoRequest);
  expect(await next).toMatchObject({ error_message: '' });
  call.end();
  expect((await ended).code).toBe(0);
  await allHostsUp();
});

it('a session on the host that is lost ends with the reason; others keep their state; then all serve again', async () => {
  // Two hosts, the emptier one is chosen: one session is on each.
  const streams = Array.from({ length: 2 }, () => new OpenStream(server.grpcAddress, 'counter'));
  for (const stream of streams) expect(await stream.add(1)).toBe(1);
  expect((await grpc.unary('ModelInfer', slowRequest('late'), 60_000)).code).toBe(UNAVAILABLE);
  const outcomes = await Promise.all(
    streams.map((stream) => Promise.race([stream.add(2), stream.ended.then((code) => `${code} ${stream.text}`)])),
  );
  expect(outcomes.filter((sum) => sum === 3)).toHaveLength(1);
  expect(outcomes.filter((sum) => sum !== 3)).toEqual([expect.stringMatching(/^14 .*deadline of 100 ms/)]);
  await Promise.all(streams.map((stream) => stream.close()));
  losses++;
  await allHostsUp();

  for (const name of ['late', 'patient', 'echo', 'counter']) {
    await expect.poll(() => versionStates(server, name), SEEN).toEqual(['1 READY']);
    expect(await reasonOf(server, name)).toBe('');
  }
  expect((await grpc.unary('ModelInfer', echoRequest)).code).toBe(0);
  expect((await grpc.unary('ModelInfer', slowRequest('patient'), 60_000)).code).toBe(0);
  const again = new OpenStream(server.grpcAddress, 'counter');
  expect([await again.add(4), await again.close()]).toEqual([4, 0]);
});

it('a call that is cancelled, or whose client’s deadline passes, ends; the late result of its run is dropped', async () => {
  const runs = (): Promise<number> => metric('ovms_inference_time_us_count{name="patient"');
  const before = await runs();
  const call = grpc.open('ModelStreamInfer', 60_000);
  const seen: unknown[] = [];
  call.on('data', (response: unknown) => seen.push(response));
  call.on('error', () => {}); // `status` follows
  const ended = new Promise<{ code: number }>((resolve) => call.on('status', resolve));
  call.write(slowRequest('patient'));
  const unary = grpc.unary('ModelInfer', slowRequest('patient'), 300);
  await delay(300);
  call.cancel();
  expect((await ended).code).toBe(CANCELLED);
  expect(await unary).toMatchObject({ code: DEADLINE_EXCEEDED, responses: [] });
  // Both hosts may be at those runs still; what they answer now must be of the new requests.
  const next = await Promise.all(
    [1, 2].map((value) => grpc.unary('ModelInfer', slowRequest('patient', value), 60_000)),
  );
  for (const [i, { code, responses }] of next.entries()) {
    expect(code).toBe(0);
    const { raw_output_contents: outputs } = responses[0] as { raw_output_contents: [Buffer] };
    expect(outputs[0].readFloatLE(0)).toBeCloseTo(i + 1, 2);
  }
  expect(await runs()).toBeGreaterThanOrEqual(before + 2);
  expect(seen).toEqual([]);
  expect(await metric('ovms_current_requests{name="patient"')).toBe(0);
});
