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
