import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usableProcessors } from '../../src/base/processors.ts';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { OpenStream } from '../support/open-stream.ts';
import { ROOT } from '../support/paths.ts';
import { versionStates } from '../support/repository-states.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** A run of `slow.onnx` takes a second or two. */
const slowModel = (name: string, run_deadline_ms: number): object => ({
  config: {
    name,
    base_path: join(ROOT, 'test/fixtures/models/slow.onnx'),
    run_deadline_ms,
    plugin_config: { INFERENCE_NUM_THREADS: 1 },
  },
});
const slowRequest = (name: string, value: number): object => ({
  model_name: name,
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [512, 1024] }],
  raw_input_contents: [Buffer.from(new Float32Array(512 * 1024).fill(value).buffer)],
});
const echoRequest = {
  model_name: 'echo',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1] }],
  raw_input_contents: [Buffer.from(new Float32Array([7]).buffer)],
};

let server: TestServer;
let grpc: KserveGrpc;

beforeAll(async () => {
  server = await startServer({
    config: {
      model_config_list: [
        slowModel('late', 100),
        slowModel('patient', 0),
        { config: { name: 'echo', base_path: join(ROOT, 'test/fixtures/models/identity_fp32.onnx') } },
      ],
      mediapipe_config_list: [{ name: 'counter', base_path: join(ROOT, 'graphs/counter') }],
      server: { hosts: 1, log_level: 'debug' },
    },
  });
  grpc = new KserveGrpc(server.grpcAddress);
});
afterAll(async () => {
  grpc.close();
  await server.stop();
});

// A host that has one processor gives all its models the same thread.
describe.skipIf(usableProcessors() < 2)('a model that leaves processors of its host to others', () => {
  it('keeps neither models nor sessions of the host waiting', async () => {
    const ended: string[] = [];
    const slow = grpc.unary('ModelInfer', slowRequest('patient', 3), 60_000).then((result) => {
      ended.push('slow');
      return result;
    });
    const running = async () => (await (await fetch(`${server.restUrl}/metrics`)).text()).includes('ovms_current_requests{name="patient",version="1"} 1'); // prettier-ignore
    await expect.poll(running).toBe(true);
    const stream = new OpenStream(server.grpcAddress, 'counter');
    for (let round = 0; round < 10; round++) {
      const { code, responses } = await grpc.unary('ModelInfer', echoRequest);
      expect([code, responses]).toMatchObject([0, [{ raw_output_contents: echoRequest.raw_input_contents }]]);
      expect(await stream.add(1)).toBe(round + 1);
    }
    await stream.close();
    ended.push('others');
    const { responses } = await slow;
    expect(ended).toEqual(['others', 'slow']);
    const [{ raw_output_contents: outputs }] = responses as [{ raw_output_contents: [Buffer] }];
    expect(outputs[0].readFloatLE(0)).toBeCloseTo(3, 2);
    const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
    expect(metrics).toMatch(/ovms_inference_time_us_count\{name="patient",version="1"\} 1\n/);
  });
});

it('a run past its deadline costs its host, and the caller hears why', async () => {
  const { code, text } = await grpc.unary('ModelInfer', slowRequest('late', 0), 60_000);
  expect([code, text]).toEqual([14, expect.stringMatching(/deadline of 100 ms and its host was killed/)]);
  for (const name of ['late', 'patient', 'echo']) {
    await expect.poll(() => server.logs().match(new RegExp(`"${name}".*"servable loaded"`, 'g'))).toHaveLength(2);
    expect(await versionStates(server, name)).toEqual(['1 READY']);
  }
  expect((await grpc.unary('ModelInfer', slowRequest('patient', 1), 60_000)).code).toBe(0);
});

it('a server that is stopped waits for the run', async () => {
  const running = grpc.unary('ModelInfer', slowRequest('patient', 2), 60_000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await server.stop();
  expect((await running).code).toBe(0);
});
