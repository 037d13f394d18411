/** Runtimes of users' own as the server runs them: batches, several instances, many slow streams, streams nobody reads. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeBytes, textData } from '../../src/tensor/bytes.ts';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { runPython } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { until } from '../support/until.ts';

/** Upper case, and how many rows came at once. */
const BATCHED = `
import { decodeInput, encodeOutput, tensorOf } from 'millrace';
export class Batched {
  predict({ inputs }: { inputs: [never] }) {
    const texts = decodeInput(inputs[0], 'str') as string[];
    const rows = tensorOf('rows', 'INT32', [texts.length], Int32Array.from(texts, () => texts.length));
    return { outputs: [encodeOutput('upper', texts.map((text) => text.toUpperCase())), rows] };
  }
}`;

/** Tells in which process it runs, and blocks that for a while. */
const BUSY = `
import { encodeOutput } from 'millrace';
export default {
  predict() {
    const until = performance.now() + 300;
    while (performance.now() < until);
    return { outputs: [encodeOutput('pid', [String(process.pid)])] };
  },
};`;

/** Streams: "slow N" waits between N answers, "flood" never ends; tells of its ends when asked. */
const STREAMS = `
import { setTimeout as delay } from 'node:timers/promises';
import { decodeInput, encodeOutput } from 'millrace';
let pulled = 0, ended = 0;
export default {
  predict: () => ({ outputs: [encodeOutput('text', [JSON.stringify({ pulled, ended })])] }),
  async *predictStream(requests, { signal }) {
    try {
      for await (const { inputs } of requests) {
        const [what, count] = decodeInput(inputs[0], 'str')[0].split(' ');
        for (let i = 0; what === 'flood' || i < Number(count); i++) {
          if (what === 'slow') await delay(100, undefined, { signal });
          else pulled++;
          yield { outputs: [encodeOutput('text', [what === 'slow' ? String(i) : 'x'.repeat(100_000)])] };
        }
      }
    } finally {
      ended++;
    }
  },
};`;

let folder: ScratchFolder;
let server: TestServer;
let client: KserveGrpc;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  const put = async (name: string, source: string, implementation: string, more: object = {}): Promise<void> => {
    await folder.put(`${name}/${name}.ts`, source);
    await folder.put(`${name}/model-settings.json`, { name, implementation, ...more });
  };
  await put('batched', BATCHED, './batched.ts#Batched', { max_batch_size: 4, max_batch_time: 5 });
  await put('busy', BUSY, './busy.ts', { parallel_workers: 2 });
  await put('streams', STREAMS, './streams.ts');
  await folder.put('settings.json', { parallel_workers: 1 });
  server = await startServer({ folder: folder.path });
  client = new KserveGrpc(server.grpcAddress);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

interface Response {
  readonly outputs: readonly { readonly name: string; readonly shape: readonly string[] }[];
  readonly raw_output_contents: readonly Buffer[];
}

const asked = (model_name: string, text = ''): object => ({
  model_name,
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [1, 1] }],
  raw_input_contents: [encodeBytes([text])],
});
const textOf = (response: object | undefined): string => {
  const [data] = (response as Response).raw_output_contents;
  return textData({ name: '', datatype: 'BYTES', shape: [1], data: data as Buffer })[0] as string;
};

async function counts(): Promise<{ readonly pulled: number; readonly ended: number }> {
  const { responses } = await client.unary('ModelInfer', asked('streams'));
  return JSON.parse(textOf(responses[0])) as { pulled: number; ended: number };
}

it("tritonclient's requests run as one batch, and each gets its own rows and id back", async () => {
  const requests = [['a'], ['b', 'a longer one', ''], ['ä'], ['d', 'e']];
  const answers = await runPython('test/system/runtime-serving/batching.py', {
    address: server.grpcAddress,
    requests,
  });
  expect(answers).toEqual(
    requests.map((texts, at) => ({
      id: `r${at}`,
      upper: texts.map((text) => text.toUpperCase()),
      rows: texts.map(() => 7),
    })),
  );
});

it('calls that block their process run in both instances', async () => {
  const outcomes = await Promise.all([1, 2, 3, 4].map(() => client.unary('ModelInfer', asked('busy'))));
  const pids = outcomes.map(({ responses }) => textOf(responses[0]));
  expect(new Set(pids).size).toBe(2);
  for (const pid of pids) expect(pids.filter((other) => other === pid)).toHaveLength(2);
});

it('a thousand slow streams at once each get every answer in order', async () => {
  const streams = await Promise.all(
    Array.from({ length: 1000 }, () => client.stream('ModelStreamInfer', [asked('streams', 'slow 5')], 60_000)),
  );
  for (const { code, responses } of streams) {
    expect(code).toBe(0);
    const texts = responses.map((each) => textOf((each as { infer_response: object }).infer_response));
    expect(texts).toEqual(['0', '1', '2', '3', '4']);
  }
});

it('a stream that its client does not read is made no further than the connection takes, and ends when the client leaves', async () => {
  const before = await counts();
  const body = JSON.stringify({
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [1, 1], data: ['flood'] }],
  });
  const socket = connect(server.restPort, '127.0.0.1');
  socket.pause();
  socket.write(
    `POST /v2/models/streams/generate_stream HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until(async () => (await counts()).pulled > before.pulled);
  let last = -1;
  await until(async () => {
    const { pulled } = await counts();
    const isStill = pulled === last;
    last = pulled;
    if (!isStill) await new Promise((resolve) => setTimeout(resolve, 200));
    return isStill;
  });
  // The kernel's buffers hold a few MB; what is made beyond them is one answer that waits and one ahead.
  expect((last - before.pulled) * 100_000).toBeLessThan(16_000_000);
  socket.destroy();
  await until(async () => (await counts()).ended === before.ended + 1);
});

it('streams and batches are in the metrics', async () => {
  const body = await (await fetch(`${server.restUrl}/metrics`)).text();
  const value = (start: string): number => {
    const line = body.split('\n').find((each) => each.startsWith(start));
    return Number(line?.slice(line.lastIndexOf(' ')));
  };
  const grpc = 'model="streams",version="",interface="gRPC"';
  expect(value(`millrace_streams_ended{${grpc},outcome="completed"}`)).toBe(1000);
  expect(value(`millrace_stream_responses{${grpc}}`)).toBe(5000);
  expect(value(`millrace_stream_requests{${grpc}}`)).toBe(1000);
  expect(value(`millrace_stream_first_response_seconds_count{${grpc}}`)).toBe(1000);
  expect(value(`millrace_stream_response_interval_seconds_count{${grpc}}`)).toBe(4000);
  expect(value(`millrace_stream_responses_per_stream_bucket{${grpc},le="5"}`)).toBe(1000);
  expect(value(`millrace_streams_active{${grpc}}`)).toBe(0);
  expect(value('millrace_streams_ended{model="streams",version="",interface="REST",outcome="cancelled"}')).toBe(1);
  expect(value('model_infer_request_success_total{model="batched",version=""}')).toBe(4);
  expect(value('model_infer_request_duration_count{model="batched",version=""}')).toBe(4);
  expect(value('batch_request_queue_count{model_name="batched",model_version=""}')).toBe(4);
  expect(value('parallel_request_queue_count{model_name="busy",model_version=""}')).toBe(4);
});
