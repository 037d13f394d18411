import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Cancellation } from '../../src/base/cancellation.ts';
import { MillraceError } from '../../src/base/errors.ts';
import { encodeBytes, textData } from '../../src/tensor/bytes.ts';
import type { InferenceResponse } from '../../src/tensor/inference.ts';
import { tensorOf, typedData, type Tensor } from '../../src/tensor/tensor.ts';
import { Kept, launchers, request, start, type Started } from './host-harness.ts';

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const specs = {
  identity: { kind: 'graph', name: 'identity', version: '1', graphPath: path('graphs/identity/graph.pbtxt') },
  counter: { kind: 'graph', name: 'counter', version: '1', graphPath: path('graphs/counter/graph.pbtxt') },
  echo: {
    kind: 'runtime',
    name: 'echo',
    version: '1',
    module: path('test/fixtures/runtimes/echo.js'),
    export: 'default',
    parameters: {},
  },
  model: {
    kind: 'model',
    name: 'sensor_gru',
    version: '1',
    path: path('models/sensor_gru/1/model.onnx'),
    executionProviders: ['cpu'],
    runDeadlineMs: 0,
  },
  anomaly: { kind: 'graph', name: 'anomaly', version: '1', graphPath: path('graphs/anomaly/graph.pbtxt') },
  lethal: {
    kind: 'runtime',
    name: 'lethal',
    version: '1',
    module: path('test/fixtures/runtimes/ends-its-host.js'),
    export: 'default',
    parameters: {},
  },
  broken: { kind: 'graph', name: 'broken', version: '1', graphPath: path('test/fixtures/nothing.pbtxt') },
};
const number = (name: string, value: number) => tensorOf(name, 'FP32', [1], Float32Array.of(value));
const numbers = (response: InferenceResponse): number[] =>
  response.outputs.flatMap((o) => [...(typedData(o) as Float32Array)]);

describe.each(Object.entries(launchers))('a host %s', (where, launch) => {
  let started: Started | undefined;
  afterEach(async () => {
    await started?.supervisor.close(5000);
    started = undefined;
  });

  it('loads graphs and says what is wrong with those it cannot', async () => {
    const { client } = (started = await start(launch));
    expect(await client.loadServable(1, specs.counter)).toMatchObject({
      platform: 'millrace_graph',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [1] }],
      outputs: [{ name: 'output', datatype: 'FP32', shape: [1] }],
    });
    await expect(client.loadServable(2, specs.broken)).rejects.toMatchObject({
      reason: 'GRAPH_INVALID',
      message: expect.stringContaining('nothing.pbtxt') as string,
    });
  });

  it('answers unary requests, each on a fresh graph, with tensors of any size exact', async () => {
    const { client } = (started = await start(launch));
    await client.loadServable(1, specs.counter);
    await client.loadServable(2, specs.identity);
    for (const value of [1, 2]) {
      const response = await client.infer(1, request('counter', [number('input', value)], 'r'), new Cancellation());
      expect([numbers(response), response.id, response.parameters]).toEqual([[value], 'r', { OVMS_MP_TIMESTAMP: 0n }]);
    }
    for (const length of [0, 1, 1000, 300_000, 1_600_000]) {
      const values = Float32Array.from({ length }, (_, i) => i);
      const response = await client.infer(
        2,
        request('identity', [tensorOf('INPUT0', 'FP32', [length], values)]),
        new Cancellation(),
      );
      expect(response.outputs[0]).toMatchObject({ name: 'OUTPUT0', shape: [length] });
      expect(Buffer.compare(response.outputs[0]?.data as Uint8Array, new Uint8Array(values.buffer))).toBe(0);
    }
  });

  it('keeps the state of each session apart, reports a bad request and goes on, and drains at half-close', async () => {
    const { client } = (started = await start(launch));
    await client.loadServable(1, specs.counter);
    const [a, b] = [new Kept(), new Kept()];
    const first = client.openSession(1, request('counter', []), a);
    const second = client.openSession(1, request('counter', []), b);
    for (const value of [1, 2, 3]) first.push(request('counter', [number('input', value)], `a${value}`));
    second.push(request('counter', [number('input', 10)]));
    first.push(request('counter', [number('other', 1)], 'bad'));
    first.push(request('counter', [number('input', 4)], 'a4'));
    first.halfClose();
    second.halfClose();
    expect(await a.ended).toBeUndefined();
    expect(await b.ended).toBeUndefined();
    expect(a.responses.map((r) => [numbers(r)[0], r.id, r.parameters?.['OVMS_MP_TIMESTAMP']])).toEqual([
      [1, 'a1', 0n],
      [3, 'a2', 1n],
      [6, 'a3', 2n],
      [10, 'a4', 3n],
    ]);
    expect(b.responses.map(numbers)).toEqual([[10]]);
    expect(a.refused.map(([id, error]) => [id, error.message])).toEqual([
      ['bad', 'Unexpected input - other is unexpected'],
    ]);
  });

  it('holds a session to its credit: a paused reader stops the graph, which stops the writer', async () => {
    const { client } = (started = await start(launch));
    await client.loadServable(2, specs.identity);
    const kept = new Kept();
    const session = client.openSession(2, request('identity', []), kept);
    session.pause();
    let pushed = 0;
    const chunk = tensorOf('INPUT0', 'UINT8', [1_000_000], new Uint8Array(1_000_000));
    while (session.push(request('identity', [chunk])) || kept.responses.length < 4) {
      pushed++;
      if (pushed > 1000) throw new Error('never full');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const before = kept.responses.length;
    expect(before).toBeLessThan(12);
    session.resume();
    await kept.until(() => kept.drains > 0 && kept.responses.length > before);
    session.halfClose();
    expect(await kept.ended).toBeUndefined();
    expect(kept.responses.length).toBe(pushed + 1);
  });

  it('streams a runtime and stops it when the session is aborted', async () => {
    const { client } = (started = await start(launch));
    await client.loadServable(3, specs.echo);
    const kept = new Kept();
    const session = client.openSession(3, request('echo', []), kept);
    const text = { name: 'text', datatype: 'BYTES', shape: [1], data: encodeBytes(['endless']) } as const;
    session.push(request('echo', [text], 'e'));
    await kept.until(() => kept.responses.length > 20);
    expect(textData(kept.responses[0]?.outputs[0] as InferenceResponse['outputs'][0])).toEqual(['endless 0']);
    session.abort(new MillraceError('CANCELLED', 'gone'));
    expect(await kept.ended).toMatchObject({ reason: 'CANCELLED' });
    // What it does at its end is seen from the next session.
    const after = new Kept();
    const next = client.openSession(3, request('echo', []), after);
    next.push(request('echo', [{ ...text, data: encodeBytes(['aborted?']) }]));
    await after.until(() => after.responses.length > 0);
    expect(textData(after.responses[0]?.outputs[0] as InferenceResponse['outputs'][0])).toEqual(['aborted 1']);
    next.push(request('echo', [{ ...text, data: encodeBytes(['throw']) }]));
    expect(await after.ended).toMatchObject({ reason: 'RUNTIME_FAILED', message: 'as you asked' });
  });

  it('gives graphs the generation of a model that is left when a newer one is taken back', async () => {
    const { client } = (started = await start(launch));
    await client.loadServable(1, specs.model);
    await client.loadServable(2, specs.model);
    expect(await client.loadServable(3, specs.anomaly)).toMatchObject({ models: ['sensor_gru'] });
    client.unload(2);
    const signal = tensorOf('signal', 'FP32', [1, 8], new Float32Array(8));
    const response = await client.infer(3, request('anomaly', [signal]), new Cancellation());
    expect(response.outputs).toMatchObject([{ name: 'scores', shape: [1, 8] }]);
    client.unload(1);
    const refused = client.infer(3, request('anomaly', [signal]), new Cancellation());
    await expect(refused).rejects.toThrow(/sensor_gru.* is not loaded/);
  });

  it('runs a model of another host for its graphs, and tells when it needs it no more', async () => {
    const { client, released } = (started = await start(launch));
    const [inputs, outputs] = ['INPUT', 'OUTPUT'].map((name) => [{ name, datatype: 'FP32', shape: [-1, -1] }]);
    await client.loadServable(7, { kind: 'remote', name: 'steady', version: '1', inputs, outputs, provider: 'cpu' });
    const graphPath = path('test/system/batching/steady.pbtxt');
    const described = await client.loadServable(8, { kind: 'graph', name: 'g', version: '1', graphPath });
    expect(described).toMatchObject({ models: ['steady'], warnings: [], inputs: [{ name: 'in', shape: [-1, -1] }] });
    const asked: string[] = [];
    started.onCall = (loadId, { servable, version, inputs: given }, _cancellation, waitedMs) => {
      asked.push(`${loadId} ${servable}/${version} ${given[0]?.name} ${waitedMs >= 0}`);
      const [tensor] = given as [Tensor];
      return Promise.resolve({ servable, version, id: '', outputs: [{ ...tensor, name: 'OUTPUT' }] });
    };
    const rows = (length: number): Tensor =>
      tensorOf(
        'in',
        'FP32',
        [1, length],
        Float32Array.from({ length }, (_, i) => i),
      );
    for (const length of [1, 1000, 1_600_000]) {
      const response = await client.infer(8, request('g', [rows(length)]), new Cancellation());
      expect(response.outputs).toMatchObject([{ name: 'out', shape: [1, length] }]);
      expect(Buffer.compare(response.outputs[0]?.data ?? Buffer.of(), rows(length).data)).toBe(0);
    }
    expect(asked).toEqual(Array.from({ length: 3 }, () => '7 steady/1 INPUT true'));

    started.onCall = () => Promise.reject(new MillraceError('HOST_LOST', 'its host ended'));
    await expect(client.infer(8, request('g', [rows(1)]), new Cancellation())).rejects.toMatchObject({
      reason: 'HOST_LOST',
      message: expect.stringContaining('its host ended') as string,
    });

    const cancellation = new Cancellation();
    const cancelled = new Promise<MillraceError>((resolve) => {
      (started as Started).onCall = (_loadId, _request, theirs) => {
        theirs.onCancel(resolve);
        cancellation.cancel(new MillraceError('CANCELLED', 'the client left'));
        return new Promise(() => {});
      };
    });
    await expect(client.infer(8, request('g', [rows(1)]), cancellation)).rejects.toMatchObject({ reason: 'CANCELLED' });
    expect(await cancelled).toMatchObject({ reason: 'CANCELLED' });

    const kept = new Kept();
    const session = client.openSession(8, request('g', []), kept);
    client.unload(7);
    started.onCall = (_loadId, { inputs: given }) =>
      Promise.resolve({
        servable: '',
        version: '',
        id: '',
        outputs: given.map((each) => ({ ...each, name: 'OUTPUT' })),
      });
    session.push(request('g', [rows(2)]));
    await kept.until(() => kept.responses.length === 1);
    expect(released).toEqual([]);
    session.halfClose();
    expect(await kept.ended).toBeUndefined();
    await expect.poll(() => released).toEqual([7]);
  });

  it('cancels a unary call', async () => {
    const { client } = (started = await start(launch));
    await client.loadServable(1, specs.counter);
    const cancellation = new Cancellation();
    const call = client.infer(1, request('counter', [number('input', 1)]), cancellation);
    cancellation.cancel(new MillraceError('CANCELLED', 'gone'));
    await expect(call).rejects.toMatchObject({ reason: 'CANCELLED' });
    expect(client.callCount).toBe(0);
  });

  it('that dies while it loads says which load it was', async () => {
    if (where === 'in this process') return;
    const { client } = (started = await start(launch));
    const [counter, lethal, queued] = await Promise.allSettled([
      client.loadServable(1, specs.counter),
      client.loadServable(2, specs.lethal),
      client.loadServable(3, specs.identity),
    ]);
    expect(counter).toMatchObject({ status: 'fulfilled' });
    expect(lethal).toMatchObject({ reason: { reason: 'HOST_LOST', details: { whileLoading: true } } });
    expect(queued).toMatchObject({ reason: { reason: 'HOST_LOST', details: {} } });
  });

  it('that dies ends its own calls and sessions with the reason, and is replaced', async () => {
    if (where === 'in this process') return;
    const { client, supervisor, nextUp } = (started = await start(launch));
    await client.loadServable(3, specs.echo);
    const kept = new Kept();
    client.openSession(3, request('echo', []), kept);
    supervisor.kill('a test killed it');
    expect(await kept.ended).toMatchObject({
      reason: 'HOST_LOST',
      message: expect.stringContaining('a test killed it') as string,
    });
    const replacement = await nextUp();
    await replacement.loadServable(1, specs.counter);
    expect(numbers(await replacement.infer(1, request('counter', [number('input', 5)]), new Cancellation()))).toEqual([
      5,
    ]);
  });
});
