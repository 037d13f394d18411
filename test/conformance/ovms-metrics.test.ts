import { describe, expect, it } from 'vitest';
import { useOvmsServer } from './ovms/server.ts';

/** Graph metrics and metadata by OVMS's names: the OVMS sheet, §3.6 and §7. */
const ovms = useOvmsServer();

/** The value of one series; `labels` all must be there. */
async function metric(name: string, labels: Readonly<Record<string, string>>): Promise<number | undefined> {
  const text = await (await fetch(`${ovms.server.restUrl}/metrics`)).text();
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  const line = text
    .split('\n')
    .find((candidate) => candidate.startsWith(`${name}{`) && wanted.every((label) => candidate.includes(label)));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

/** Every series of a family, as its labels beside their values, sorted. */
async function seriesOf(name: string, labels: Readonly<Record<string, string>>): Promise<string[]> {
  const text = await (await fetch(`${ovms.server.restUrl}/metrics`)).text();
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && wanted.every((label) => line.includes(label)))
    .toSorted();
}

const request = (graph: string, input: string): object => ({
  model_name: graph,
  inputs: [{ name: input, datatype: 'FP32', shape: [1] }],
  raw_input_contents: [Buffer.alloc(4)],
});
const times = (count: number, message: object): object[] => Array.from({ length: count }, () => message);

describe('graph metrics', () => {
  it('StreamCounters: 11 good requests, then a session with 13 bad ones', async () => {
    const good = await ovms.client.stream('ModelStreamInfer', times(11, request('add_one', 'in')));
    const bad = await ovms.client.stream('ModelStreamInfer', times(13, request('add_one', 'wrong')));
    expect([good.code, bad.code]).toEqual([0, 0]);
    const series = { name: 'add_one', api: 'KServe', method: 'ModelInferStream', interface: 'gRPC' };
    await expect.poll(() => metric('ovms_requests_accepted', series)).toBe(11);
    expect(await metric('ovms_requests_rejected', series)).toBe(13);
    expect(await metric('ovms_responses', series)).toBe(11);
    expect(await metric('ovms_graph_error', series)).toBe(0);
  });

  it('UnaryGraphError: once for each failing request', async () => {
    const series = { name: 'error_in_process', api: 'KServe', method: 'ModelInfer', interface: 'gRPC' };
    for (const total of [3, 6]) {
      for (let i = 0; i < 3; i++) await ovms.client.unary('ModelInfer', request('error_in_process', 'in'));
      await expect.poll(() => metric('ovms_graph_error', series)).toBe(total);
    }
  });

  it('CurrentGraphs: five sessions that wait for their second input', async () => {
    const calls = times(5, {}).map(() => ovms.client.open('ModelStreamInfer'));
    for (const call of calls) {
      call.on('error', () => {}).on('data', () => {});
      call.write(request('add_joined', 'in1'));
    }
    await expect.poll(() => metric('ovms_current_graphs', { name: 'add_joined' })).toBe(5);
    for (const call of calls) call.cancel();
    await expect.poll(() => metric('ovms_current_graphs', { name: 'add_joined' })).toBe(0);
  });

  it('SeriesAreThereFromTheStart, at 0', async () => {
    for (const name of ['accepted', 'rejected'].map((kind) => `ovms_requests_${kind}`)) {
      for (const [method, transport] of [
        ['ModelInfer', 'gRPC'],
        ['ModelInferStream', 'gRPC'],
        ['ModelInfer', 'REST'],
      ] as const) {
        const series = { name: 'two_outputs', api: 'KServe', method, interface: transport };
        expect(await metric(name, series)).toBe(0);
      }
    }
  });
});

describe('requests of metadata and readiness', () => {
  const ask = async (name: string) => {
    const url = `${ovms.server.restUrl}/v2/models/${name}`;
    for (const at of [url, `${url}/ready`]) await (await fetch(at)).text();
    for (const method of ['ModelMetadata', 'ModelReady']) await ovms.client.unary(method, { name });
  };
  const METHODS = ['ModelMetadata', 'ModelReady'] as const;

  it.each([
    ['add_one', ''],
    ['add', '1'],
  ])('of %s are counted by method and interface', async (name, version) => {
    await ask(name);
    for (const method of METHODS) {
      // OVMS tells no version of graphs, nor of ModelReady.
      const told = method === 'ModelReady' || version === '' ? '' : `,version="${version}"`;
      const of = (via: string, value: number) =>
        `{name="${name}",api="KServe",method="${method}",interface="${via}"${told}} ${value}`;
      expect(await seriesOf('ovms_requests_success', { name, method })).toEqual([
        `ovms_requests_success${of('REST', 1)}`,
        `ovms_requests_success${of('gRPC', 1)}`,
      ]);
      expect(await seriesOf('ovms_requests_fail', { name, method })).toEqual([
        `ovms_requests_fail${of('REST', 0)}`,
        `ovms_requests_fail${of('gRPC', 0)}`,
      ]);
    }
  });

  it('have failed where the servable cannot say; of what there is not nothing is counted', async () => {
    await ask('unknown_policy');
    await ask('nowhere');
    const failed = { name: 'unknown_policy', method: 'ModelMetadata' };
    expect(await metric('ovms_requests_fail', { ...failed, interface: 'gRPC' })).toBe(1);
    expect(await metric('ovms_requests_fail', { ...failed, interface: 'REST' })).toBeGreaterThanOrEqual(1);
    const asked = { name: 'unknown_policy', method: 'ModelReady', interface: 'gRPC' };
    expect(await metric('ovms_requests_success', asked)).toBe(1);
    expect(await seriesOf('ovms_requests_fail', { name: 'nowhere' })).toEqual([]);
  });
});

describe('model metrics', () => {
  const infer = () =>
    ovms.client.unary('ModelInfer', {
      model_name: 'add',
      inputs: [
        { name: 'A', datatype: 'FP32', shape: [1, 4] },
        { name: 'B', datatype: 'FP32', shape: [1, 4] },
      ],
      raw_input_contents: [Buffer.alloc(16), Buffer.alloc(16)],
    });

  it('every family of OVMS has its series, with its labels, from the start', async () => {
    const labelsOf = async (family: string): Promise<string> => {
      const [line = ''] = await seriesOf(family, { name: 'add' });
      return [...line.matchAll(/(\w+)="/g)].map(([, label = '']) => label).join(' ');
    };
    for (const family of ['streams', 'current_requests', 'infer_req_queue_size', 'infer_req_active']) {
      expect(await labelsOf(`ovms_${family}`)).toBe('name version');
    }
    for (const family of ['inference_time_us', 'wait_for_infer_req_time_us']) {
      expect(await labelsOf(`ovms_${family}_bucket`)).toBe('name version le');
    }
    // That of requests is there once there was one.
    const { code } = await infer();
    expect(code).toBe(0);
    expect(await labelsOf('ovms_request_time_us_bucket')).toBe('name version interface le');
  });

  it('counts a run, its wait and the request', async () => {
    const model = { name: 'add', version: '1' };
    const before = await Promise.all(
      ['inference_time_us', 'wait_for_infer_req_time_us'].map((family) => metric(`ovms_${family}_count`, model)),
    );
    await infer();
    for (const [at, family] of ['inference_time_us', 'wait_for_infer_req_time_us'].entries()) {
      await expect.poll(() => metric(`ovms_${family}_count`, model)).toBe((before[at] ?? 0) + 1);
    }
    expect(await metric('ovms_streams', model)).toBe(1);
    expect(await metric('ovms_infer_req_queue_size', model)).toBe(1);
    expect(await metric('ovms_infer_req_active', model)).toBe(0);
    expect(await metric('ovms_current_requests', model)).toBe(0);
  });
});

it('ErrorOnDisconnectionDuringWrite: the client that goes away takes its session with it', async () => {
  const call = ovms.client.open('ModelStreamInfer');
  call.on('error', () => {});
  call.write(request('add_one', 'in'));
  await new Promise<void>((resolve) => call.once('data', () => resolve()));
  expect(await metric('ovms_current_graphs', { name: 'add_one' })).toBe(1);
  call.cancel();
  await expect.poll(() => metric('ovms_current_graphs', { name: 'add_one' })).toBe(0);
});

it('GraphMetadata: version "1", names of streams; better than "INVALID" where the calculators say more', async () => {
  const { code, responses } = await ovms.client.unary('ModelMetadata', { name: 'add_one' });
  expect(code).toBe(0);
  expect(responses[0]).toMatchObject({
    name: 'add_one',
    versions: ['1'],
    inputs: [{ name: 'in', datatype: 'FP32', shape: ['1'] }],
    outputs: [{ name: 'out', datatype: 'FP32', shape: ['1'] }],
  });
});
