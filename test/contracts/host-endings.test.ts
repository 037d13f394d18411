import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Cancellation } from '../../src/base/cancellation.ts';
import { MillraceError } from '../../src/base/errors.ts';
import { tensorOf } from '../../src/tensor/tensor.ts';
import { Kept, launchers, request, start, type Started } from './host-harness.ts';

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const model = {
  kind: 'model',
  name: 'sensor_gru',
  version: '1',
  path: path('models/sensor_gru/1/model.onnx'),
  executionProviders: ['cpu'],
  runDeadlineMs: 0,
};
const gone = new MillraceError('CANCELLED', 'gone');

describe.each(Object.entries(launchers))('a host %s', (_where, launch) => {
  let started: Started;
  afterEach(() => started.supervisor.close(5000));

  it('does not run the model for calls and sessions that ended before their turn', async () => {
    const { client, runs } = (started = await start(launch));
    const description = await client.loadServable(1, model);
    const { inputs } = description as { inputs: { name: string; shape: number[] }[] };
    const values = inputs.map(({ name, shape }) => {
      const dims = shape.map((dim) => (dim === -1 ? 1 : dim));
      return tensorOf(name, 'FP32', dims, new Float32Array(dims.reduce((count, dim) => count * dim, 1)));
    });
    const first = client.infer(1, request('sensor_gru', values), new Cancellation());
    const cancellation = new Cancellation();
    const second = client.infer(1, request('sensor_gru', values), cancellation);
    const kept = new Kept();
    const session = client.openSession(1, request('sensor_gru', values), kept);
    session.push(request('sensor_gru', values));
    cancellation.cancel(gone);
    session.abort(gone);
    await expect(second).rejects.toBe(gone);
    await first;
    await client.infer(1, request('sensor_gru', values), new Cancellation());
    expect(runs.count).toBe(2);
  });
});
