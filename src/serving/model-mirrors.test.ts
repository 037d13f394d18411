import { expect, it } from 'vitest';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import { descriptionOf, fakeHosts, type FakeHost, type FakeHostScript } from '../../test/support/fake-host.ts';
import { graphSpec, modelSpec } from '../../test/support/specs.ts';
import { ModelRepository } from './repository.ts';
import type { ServableSpec } from './servable-spec.ts';

const events = { onRun() {}, onReady() {}, onMetrics() {}, onSequences() {}, onHostLost() {}, onRemoved() {} };
const model = (fingerprint = 'a'): ServableSpec => modelSpec('m', { instances: 1, fingerprint });
const graph = graphSpec('g');

interface Started extends AsyncDisposable {
  readonly hosts: readonly FakeHost[];
  serve(...specs: ServableSpec[]): Promise<void>;
  /** The number of what is served as "m". */
  loadId(): number;
}

function start(script: FakeHostScript = {}, shared = 2): Started {
  const { options, hosts } = fakeHosts(script, shared);
  const repository = new ModelRepository(options, events, silentLogger);
  return {
    hosts,
    serve: async (...specs) => {
      repository.apply({ specs, broken: [], files: [], warnings: [] });
      await repository.settled();
    },
    loadId: () => repository.versions('m')?.[0]?.current?.loadId ?? 0,
    [Symbol.asyncDispose]: () => repository[Symbol.asyncDispose](),
  };
}

const log = (hosts: readonly FakeHost[]): string[][] => hosts.map((host) => host.log);
const request = { servable: 'm', version: '1', id: 'r', inputs: [], outputs: [] };
async function infer(host: FakeHost | undefined, loadId: number, cancellation = new Cancellation()) {
  return host?.server?.infer(loadId, request, cancellation);
}

it('a host without the model is told of it once it is loaded elsewhere, and before its graphs', async () => {
  let load: (description: object) => void = () => {};
  await using started = start({
    load: ({ name }) => (name === 'm' ? new Promise<object>((resolve) => (load = resolve)) : descriptionOf()),
  });
  const served = started.serve(model(), graph);
  await expect.poll(() => started.hosts[0]?.log).toEqual(['LOAD m']);
  expect(started.hosts[1]?.log).toEqual([]);
  load(descriptionOf({ provider: 'cpu' }));
  // The script's answer to the mirror is that of the load.
  await expect.poll(() => started.hosts[1]?.log).toEqual(['MIRROR m']);
  load(descriptionOf());
  await served;
  expect(log(started.hosts)).toEqual([
    ['LOAD m', 'LOAD g'],
    ['MIRROR m', 'LOAD g'],
  ]);
});

it('a graph does not wait for a model that fails to load', async () => {
  await using started = start({
    load: ({ name }) => {
      if (name === 'm') throw new MillraceError('MODEL_INVALID', 'damaged');
      return descriptionOf();
    },
  });
  await started.serve(model(), graph);
  expect(log(started.hosts)).toEqual([['LOAD m', 'LOAD g'], ['LOAD g']]);
});

it('models go where the fewest are', async () => {
  await using started = start({}, 3);
  await started.serve(model(), modelSpec('n', { instances: 2 }), modelSpec('everywhere'));
  const loads = started.hosts.map((host) => host.log.filter((entry) => entry.startsWith('LOAD')));
  expect(loads).toEqual([
    ['LOAD m', 'LOAD everywhere'],
    ['LOAD n', 'LOAD everywhere'],
    ['LOAD n', 'LOAD everywhere'],
  ]);
});

it('a run goes to a host that has the model, and its answer or fault comes back', async () => {
  await using started = start({
    infer: ({ servable, id }) => {
      if (id === 'bad') throw new MillraceError('MODEL_FAILED', 'boom', { details: { model: 'm' } });
      return {
        servable,
        version: '1',
        id,
        outputs: [{ name: 'y', datatype: 'UINT8', shape: [1], data: Uint8Array.of(7) }],
      };
    },
  });
  await started.serve(model(), graph);
  const response = await infer(started.hosts[1], started.loadId());
  expect(response).toMatchObject({ id: 'r', outputs: [{ name: 'y', data: Buffer.of(7) }] });
  const bad = started.hosts[1]?.server?.infer(started.loadId(), { ...request, id: 'bad' }, new Cancellation());
  await expect(bad).rejects.toMatchObject({ reason: 'MODEL_FAILED', message: 'boom', details: { model: 'm' } });
});

it('a run that nobody waits for any more ends at the model too', async () => {
  let isCancelled = false;
  await using started = start({
    infer: (_, cancellation) =>
      new Promise((_resolve, reject) => {
        cancellation.onCancel((error) => {
          isCancelled = true;
          reject(error);
        });
      }),
  });
  await started.serve(model(), graph);
  const cancellation = new Cancellation();
  const run = infer(started.hosts[1], started.loadId(), cancellation);
  setTimeout(() => cancellation.cancel(new MillraceError('CANCELLED', 'gone')), 10);
  await expect(run).rejects.toMatchObject({ reason: 'CANCELLED' });
  await expect.poll(() => isCancelled).toBe(true);
});

it('a host that dies fails the runs of the others, and its replacement takes them again', async () => {
  let hangs = true;
  await using started = start({
    infer: ({ servable, id }) => (hangs ? new Promise(() => {}) : { servable, version: '1', id, outputs: [] }),
  });
  await started.serve(model(), graph);
  const run = infer(started.hosts[1], started.loadId());
  await new Promise((resolve) => setTimeout(resolve, 10));
  started.hosts[0]?.end();
  await expect(run).rejects.toMatchObject({ reason: 'HOST_LOST', code: 'UNAVAILABLE' });
  hangs = false;
  await expect.poll(() => started.hosts[2]?.log).toEqual(['LOAD m', 'LOAD g']);
  await expect.poll(() => infer(started.hosts[1], started.loadId()).then(() => 'answered', String)).toBe('answered');
});

it('a new host is told of the model before its graphs', async () => {
  await using started = start();
  await started.serve(model(), graph);
  started.hosts[1]?.end();
  await expect.poll(() => started.hosts[2]?.log).toEqual(['MIRROR m', 'LOAD g']);
});

it('a generation stays loaded until no host uses it any more', async () => {
  await using started = start();
  await started.serve(model(), graph);
  const old = started.loadId();
  await started.serve(model('b'), graph);
  expect(started.loadId()).not.toBe(old);
  // Its session there goes on, so the host keeps it.
  await expect.poll(() => started.hosts[1]?.log).toContain('UNLOAD m');
  expect(await infer(started.hosts[1], old)).toMatchObject({ id: 'r' });
  expect(started.hosts[0]?.log).not.toContain('UNLOAD m');
  started.hosts[1]?.server?.released(old);
  await expect.poll(() => started.hosts[0]?.log).toContain('UNLOAD m');
  await expect(infer(started.hosts[1], old)).rejects.toMatchObject({
    reason: 'SERVABLE_NOT_READY',
    message: "model 'm' is not ready: it was unloaded",
  });
});

it('a generation is let go of with the last host that used it', async () => {
  await using started = start();
  await started.serve(model(), graph);
  await started.serve(graph);
  expect(started.hosts[0]?.log).not.toContain('UNLOAD m');
  started.hosts[1]?.end();
  await expect.poll(() => started.hosts[0]?.log).toContain('UNLOAD m');
});

it('a host of one graph uses no model any more when that graph has gone', async () => {
  await using started = start({}, 1);
  await started.serve(model(), graphSpec('own', { isolation: 'own' }));
  await expect.poll(() => started.hosts[1]?.log).toEqual(['MIRROR m', 'LOAD own']);
  await started.serve(model());
  await expect.poll(() => started.hosts[1]?.hasEnded).toBe(true);
  await started.serve();
  await expect.poll(() => started.hosts[0]?.log).toContain('UNLOAD m');
});
