import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Cancellation } from '../../src/base/cancellation.ts';
import { MillraceError } from '../../src/base/errors.ts';
import type { HostClient } from '../../src/ipc/host-client.ts';
import { encodeBytes, textData } from '../../src/tensor/bytes.ts';
import type { InferenceRequest, InferenceResponse } from '../../src/tensor/inference.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { Kept, launchers, request, start, type Started } from './host-harness.ts';

const spec = (name: string, more: object = {}) => ({
  kind: 'runtime',
  name: 'r',
  version: '1',
  module: fileURLToPath(new URL('../fixtures/runtimes/streams.js', import.meta.url)),
  export: name,
  parameters: {},
  ...more,
});
const asked = (text: string, id = ''): InferenceRequest =>
  request('r', [{ name: 'text', datatype: 'BYTES', shape: [1], data: encodeBytes([text]) }], id);
const textOf = ({ outputs }: InferenceResponse): string => textData(outputs[0] as Tensor)[0] as string;
const gone = new MillraceError('CANCELLED', 'gone');

interface Counts {
  readonly pulled: number;
  readonly aborted: number;
  readonly finals: number;
}

async function countsOf(client: HostClient, loadId: number): Promise<Counts> {
  return JSON.parse(textOf(await client.infer(loadId, asked(''), new Cancellation()))) as Counts;
}

describe.each(Object.entries(launchers))('a runtime in a host %s', (_where, launch) => {
  let started: Started;
  afterEach(() => started.supervisor.close(5000));
  const loaded = async (name: string, more: object = {}): Promise<{ client: HostClient; description: unknown }> => {
    started = await start(launch);
    return { client: started.client, description: await started.client.loadServable(1, spec(name, more)) };
  };

  it('answers a stream of every shape', async () => {
    const { client } = await loaded('shapes');
    const answersTo = async (...texts: string[]): Promise<string[]> => {
      const kept = new Kept();
      const session = client.openSession(1, asked(''), kept);
      for (const text of texts) session.push(asked(text));
      session.halfClose();
      expect(await kept.ended).toBeUndefined();
      return kept.responses.map(textOf);
    };
    expect(await answersTo('many 3')).toEqual(['0', '1', '2']);
    expect(await answersTo('1', '2', '4')).toEqual(['7']);
    expect(await answersTo('each a', 'each b', 'many 2', 'each c')).toEqual(['a', 'b', '0', '1', 'c']);
    expect(await answersTo()).toEqual([]);
  });

  it('is asked for no more than the look-ahead while its client does not read, and for all when it does', async () => {
    const { client } = await loaded('endless');
    const before = await countsOf(client, 1);
    const kept = new Kept();
    const session = client.openSession(1, asked(''), kept, true);
    session.pause();
    await kept.until(() => kept.responses.length > 0);
    // Had it been asked for more, that would have come before the answer to a later call.
    expect((await countsOf(client, 1)).pulled - before.pulled).toBe(1);
    session.resume();
    await kept.until(() => kept.responses.length > 200);
    session.pause();
    await new Promise((resolve) => setTimeout(resolve, 10));
    await countsOf(client, 1);
    const { length } = kept.responses;
    session.resume();
    session.pause();
    await countsOf(client, 1);
    expect(kept.responses.length).toBeLessThan(length + 100);
    session.abort(gone);
    expect(kept.responses.map(textOf)).toEqual(kept.responses.map((_, at) => String(at)));
  });

  it('has its generator returned at once when its client leaves, wherever that waits', async () => {
    const { client } = await loaded('endless');
    const before = await countsOf(client, 1);
    const [read, unread] = [new Kept(), new Kept()];
    const first = client.openSession(1, asked(''), read, true);
    const second = client.openSession(1, asked(''), unread, true);
    second.pause();
    await read.until(() => read.responses.length > 100);
    await unread.until(() => unread.responses.length > 0);
    for (const session of [first, second]) session.abort(gone);
    // The first question may be read together with the aborts.
    await countsOf(client, 1);
    const after = await countsOf(client, 1);
    expect([after.finals - before.finals, after.aborted - before.aborted]).toEqual([2, 2]);
  });

  it('is told by its signal when it waits, and is unloaded when it does not heed that', async () => {
    const { client } = await loaded('waiting');
    const before = await countsOf(client, 1);
    const kept = new Kept();
    const session = client.openSession(1, asked(''), kept);
    session.push(asked('heed'));
    await kept.until(() => kept.responses.length > 0);
    session.abort(gone);
    await expect.poll(async () => (await countsOf(client, 1)).finals - before.finals).toBe(1);
    const deaf = new Kept();
    const other = client.openSession(1, asked(''), deaf);
    other.push(asked('no'));
    await deaf.until(() => deaf.responses.length > 0);
    other.abort(gone);
    expect((await countsOf(client, 1)).finals - before.finals).toBe(1);
  });

  it('fails before its first answer, after its fifth, or with what is none, and its generator is ended', async () => {
    const { client } = await loaded('faults');
    const before = await countsOf(client, 1);
    const endOf = async (text: string): Promise<[number, MillraceError | undefined]> => {
      const kept = new Kept();
      client.openSession(1, asked(''), kept).push(asked(text));
      const error = await kept.ended;
      return [kept.responses.length, error];
    };
    const failure = (message: string) => expect.objectContaining({ reason: 'RUNTIME_FAILED', message }) as unknown;
    expect(await endOf('early')).toEqual([0, failure('before the first')]);
    expect(await endOf('late')).toEqual([5, failure('after the fifth')]);
    const none = "answer of runtime 'r': string given, an object with outputs expected";
    expect(await endOf('none')).toEqual([5, failure(none)]);
    expect((await countsOf(client, 1)).finals - before.finals).toBe(1);
  });

  it('has a deadline for each call, in which waiting for the client does not count', async () => {
    const { client } = await loaded('slow', { callDeadlineMs: 300 });
    await expect(client.infer(1, asked(''), new Cancellation())).rejects.toMatchObject({
      reason: 'CALL_TIMED_OUT',
      message: "predict of runtime 'r' did not end within 300 ms (call_deadline_ms)",
    });
    const kept = new Kept();
    const session = client.openSession(1, asked(''), kept);
    await new Promise((resolve) => setTimeout(resolve, 500));
    session.push(asked('quick'));
    await kept.until(() => kept.responses.length > 0);
    session.push(asked('slow'));
    expect(await kept.ended).toMatchObject({
      reason: 'CALL_TIMED_OUT',
      message: "runtime 'r' gave no response within 300 ms (call_deadline_ms)",
    });
  });

  it('may be a class that declares nothing and reads settings and headers', async () => {
    const modelSettings = { name: 'r', parameters: { uri: '/weights' } };
    const declared = { platform: 'theirs', versions: ['v0'], inputs: [], outputs: [] };
    const { client, description } = await loaded('TextModel', { modelSettings, declared });
    expect(description).toEqual({
      platform: 'mine',
      decoupled: false,
      answersEach: true,
      inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [-1] }],
      outputs: [{ name: 'text', datatype: 'BYTES', shape: [1] }],
      declaredVersions: ['v1'],
    });
    const headers = { authorization: 'Bearer ä', __proto__x: '' };
    const response = await client.infer(1, { ...asked('', 'id7'), headers }, new Cancellation());
    expect(response.headers).toEqual({ 'x-runtime': 'id7' });
    const seen = { settings: modelSettings, uri: '/weights', headers, model: 'r', parameters: {} };
    expect(JSON.parse(textOf(response))).toEqual(seen);
  });

  it('is decoupled without predict, is described by its settings, and tells a unary call why it fails', async () => {
    const text = { name: 'text', datatype: 'BYTES', shape: [1] };
    const declared = { platform: 'mlserver', versions: ['v1.2.3'], inputs: [text], outputs: [text] };
    const { client, description } = await loaded('shapes', { declared, batching: { maxSize: 4, maxTimeMs: 5 } });
    expect(description).toMatchObject({
      ...{ platform: 'mlserver', decoupled: true, inputs: [text], outputs: [text], declaredVersions: ['v1.2.3'] },
      warnings: [expect.stringContaining('not supported for inference streaming')],
    });
    await expect(client.infer(1, asked(''), new Cancellation())).rejects.toMatchObject({
      reason: 'DECOUPLED_UNARY',
      message: expect.stringContaining("runtime 'r' has no predict, only predictStream") as string,
    });
  });

  it.each([
    ['throws', {}, /^runtime 'r' failed to load: no weights$/],
    ['refuses', {}, /^runtime 'r' failed to load: its load returned false, so it is never ready$/],
    ['badInputs', {}, /inputs\[0\]: datatype: "FLOAT" given, one like FP32 expected$/],
    ['Empty', {}, /export "Empty" is no runtime: it has neither predict nor predictStream$/],
    ['wrong', {}, /export "wrong" is no runtime: predict: string found, a function expected$/],
    ['nothing', {}, /no export "nothing"; it has .*TextModel.*/],
    ['default', { module: '/nowhere/model.js' }, /^runtime \/nowhere\/model\.js: .*(Cannot find module|no such file)/],
    ['never', { loadTimeoutMs: 200 }, /^runtime 'r' did not load within 200 ms \(load_timeout_ms\)/],
  ])('that cannot be loaded says why: %s', async (name, more, message) => {
    started = await start(launch);
    const work = started.client.loadServable(1, spec(name, more));
    await expect(work).rejects.toMatchObject({
      reason: 'MODEL_INVALID',
      message: expect.stringMatching(message) as string,
    });
  });

  it('that never loads holds up no other load, and gives up when it is unloaded', async () => {
    started = await start(launch);
    const { client } = started;
    const never = client.loadServable(1, spec('never'));
    await client.loadServable(2, spec('shapes'));
    client.unload(1);
    await expect(never).rejects.toMatchObject({ reason: 'SHUTTING_DOWN' });
  });

  it('takes the rows of a whole batch, whatever it declares, where its requests are batched', async () => {
    const { client } = await loaded('rows', { batching: {} });
    const two = request('r', [{ name: 'text', datatype: 'BYTES', shape: [2], data: encodeBytes(['a', 'b']) }]);
    expect((await client.infer(1, two, new Cancellation())).outputs[0]?.shape).toEqual([2]);
    await client.loadServable(2, spec('rows'));
    await expect(client.infer(2, two, new Cancellation())).rejects.toMatchObject({ reason: 'WRONG_SHAPE' });
  });

  it('measures what it does; the front hears of it', async () => {
    const { client } = await loaded('metered');
    await client.infer(1, asked(''), new Cancellation());
    await client.infer(1, asked(''), new Cancellation());
    await expect.poll(() => started.metrics.length).toBeGreaterThan(0);
    expect(started.metrics).toEqual([
      { type: 'counter', name: 'my_tokens', help: 'Tokens.', labels: { kind: 'word' }, values: [4] },
      { type: 'gauge', name: 'my_depth', help: '', values: [7] },
      { type: 'histogram', name: 'my_seconds', help: 'Seconds.', bounds: [1, 2], values: [1.5, 1.5] },
    ]);
  });
});
