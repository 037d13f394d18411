import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usableProcessors } from '../../src/base/processors.ts';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { OpenStream } from '../support/open-stream.ts';
import { ROOT } from '../support/paths.ts';
import { versionStates } from '../support/repository-states.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const model = (name: string, file: string, more: object): object => ({
  config: { name, base_path: join(ROOT, 'test/fixtures/models', file), ...more },
});
const ONE_THREAD = { plugin_config: { INFERENCE_NUM_THREADS: 1 } };
/** Of `slow.onnx`, whose run takes some 400 ms or more. */
const slowRequest = (name: string, value: number): object => ({
  model_name: name,
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [512, 1024] }],
  raw_input_contents: [Buffer.from(new Float32Array(512 * 1024).fill(value).buffer)],
});
const echoRequest = (name: string) => ({
  model_name: name,
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1] }],
  raw_input_contents: [Buffer.from(new Float32Array([7]).buffer)],
});

/** A graph that names the models, each with a stream of its own. */
const graphOf = (models: readonly string[]): string =>
  models
    .map(
      (name) => `
        input_stream: "INPUT_${name}:in_${name}"
        output_stream: "OUTPUT_${name}:out_${name}"
        node {
          calculator: "OpenVINOModelServerSessionCalculator"
          output_side_packet: "SESSION:session_${name}"
          node_options {
            [type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions] { servable_name: "${name}" }
          }
        }
        node {
          calculator: "OpenVINOInferenceCalculator"
          input_side_packet: "SESSION:session_${name}"
          input_stream: "INPUT:in_${name}"
          output_stream: "OUTPUT:out_${name}"
        }`,
    )
    .join('\n');

let folder: ScratchFolder;
let server: TestServer;
let grpc: KserveGrpc;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  await folder.put('graph.pbtxt', graphOf(['late', 'patient', 'quick']));
  server = await startServer({
    config: {
      model_config_list: [
        model('late', 'slow.onnx', { ...ONE_THREAD, run_deadline_ms: 50 }),
        model('patient', 'slow.onnx', ONE_THREAD),
        model('blocking', 'slow.onnx', {}),
        model('quick', 'identity_fp32.onnx', { ...ONE_THREAD, run_deadline_ms: 50 }),
        model('echo', 'identity_fp32.onnx', {}),
      ],
      mediapipe_config_list: [
        { name: 'counter', base_path: join(ROOT, 'graphs/counter') },
        { name: 'all', base_path: folder.path },
      ],
      server: { hosts: 1, log_level: 'debug' },
    },
  });
  grpc = new KserveGrpc(server.grpcAddress);
});
afterAll(async () => {
  grpc.close();
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

// A host that has one processor gives all its models the same thread.
describe.skipIf(usableProcessors() < 2)('a model of a graph that leaves processors of its host to others', () => {
  it('keeps neither models nor sessions of the host waiting', async () => {
    const ended: string[] = [];
    const slow = Array.from({ length: 4 }, async (_, at) => {
      const result = await grpc.unary('ModelInfer', slowRequest('patient', at), 60_000);
      ended.push('slow');
      return result;
    });
    const running = async () => (await (await fetch(`${server.restUrl}/metrics`)).text()).includes('ovms_current_requests{name="patient",version="1"} 4'); // prettier-ignore
    await expect.poll(running).toBe(true);
    const stream = new OpenStream(server.grpcAddress, 'counter');
    for (let round = 0; round < 10; round++) {
      const { code, responses } = await grpc.unary('ModelInfer', echoRequest('echo'));
      expect([code, responses]).toMatchObject([0, [{ raw_output_contents: echoRequest('echo').raw_input_contents }]]);
      expect(await stream.add(1)).toBe(round + 1);
    }
    await stream.close();
    ended.push('others');
    for (const [at, { responses }] of (await Promise.all(slow)).entries()) {
      const [{ raw_output_contents: outputs }] = responses as [{ raw_output_contents: [Buffer] }];
      expect(outputs[0].readFloatLE(0)).toBeCloseTo(at, 2);
    }
    expect(ended.at(-1)).toBe('slow');
    const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
    expect(metrics).toMatch(/ovms_inference_time_us_count\{name="patient",version="1"\} 4\n/);
  });

  it('has not passed its deadline when the host is busy with another’s run', async () => {
    const hosts = server.children().map(({ pid }) => pid);
    const blocking = grpc.unary('ModelInfer', slowRequest('blocking', 0), 60_000);
    const quick = Array.from({ length: 20 }, async (_, at) => {
      await new Promise((resolve) => setTimeout(resolve, 10 * at));
      return (await grpc.unary('ModelInfer', echoRequest('quick'), 60_000)).code;
    });
    expect(new Set(await Promise.all(quick))).toEqual(new Set([0]));
    expect((await blocking).code).toBe(0);
    expect(server.children().map(({ pid }) => pid)).toEqual(hosts);
  });
});

it('a run past its deadline costs its host, and the caller hears why', async () => {
  const { code, text } = await grpc.unary('ModelInfer', slowRequest('late', 0), 60_000);
  expect([code, text]).toEqual([14, expect.stringMatching(/deadline of 50 ms and its host was killed/)]);
  for (const name of ['late', 'patient', 'blocking', 'quick', 'echo']) {
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
