import { expect, test } from 'vitest';
import { descriptionOf, fakeHosts, type FakeHostScript } from '../../test/support/fake-host.ts';
import { ensembleSpec, modelSpec } from '../../test/support/specs.ts';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import { createPrometheusMeter } from '../observability/meter.ts';
import { FrontDataPlane } from './front-data-plane.ts';
import { NO_QUOTA, type ServableSpec } from './servable-spec.ts';

interface Started extends AsyncDisposable {
  readonly plane: FrontDataPlane;
  /** What the configuration says from the next reading on. */
  wanted: readonly ServableSpec[];
  /** "name version state" of all. */
  states(): string[];
}

async function start(script: FakeHostScript, loadsAtOnce: boolean, ...specs: ServableSpec[]): Promise<Started> {
  const limits = { maxSessions: 1, maxRequestsInFlight: 10, maxBytesInFlight: 1e6, session: NO_QUOTA };
  const { options: hosts } = fakeHosts(script);
  const loadServables = async () => ({ specs: started.wanted, broken: [], files: [], warnings: [] });
  const plane = new FrontDataPlane(
    { hosts, limits, loadServables, loadsAtOnce: loadsAtOnce ? undefined : () => false },
    createPrometheusMeter(),
    silentLogger,
  );
  const started: Started = {
    plane,
    wanted: specs,
    states: () => plane.list().map(({ name, version, state }) => `${name} ${version} ${state}`),
    [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose](),
  };
  await plane.start();
  return started;
}

const context = { interface: 'REST', cancellation: new Cancellation() } as const;
const request = (servable: string) => ({ servable, version: '', id: '', inputs: [], outputs: [] });

test('what was unloaded is listed, answers nothing, and stays away over reloads until it is loaded', async () => {
  await using started = await start({}, true, modelSpec('m'), modelSpec('n'));
  await started.plane.unload('m');
  expect(started.states()).toEqual(['m 1 unloaded', 'n 1 ready']);
  await expect(started.plane.infer(request('m'), context)).rejects.toMatchObject({
    reason: 'SERVABLE_NOT_FOUND',
    message: "Request for unknown model: 'm' has no available versions: it was unloaded",
  });
  started.wanted = [modelSpec('m', { fingerprint: 'b' }), modelSpec('m', { version: '2' }), modelSpec('n')];
  await started.plane.reload();
  expect(started.states()).toEqual(['m 1 unloaded', 'm 2 unloaded', 'n 1 ready']);
  await started.plane.load('m');
  expect(started.states()).toEqual(['m 1 ready', 'm 2 ready', 'n 1 ready']);
});

test('loading what is loaded makes another generation, and one that fails leaves the old one serving', async () => {
  let loads = 0;
  const load = () => {
    if (++loads === 3) throw new MillraceError('MODEL_INVALID', 'damaged');
    return descriptionOf();
  };
  await using started = await start({ load }, true, modelSpec('m'));
  await started.plane.load('m');
  expect(loads).toBe(2);
  await expect(started.plane.load('m')).rejects.toMatchObject({
    code: 'INTERNAL',
    message: "failed to load 'm' version 1: damaged",
  });
  expect(started.states()).toEqual(['m 1 ready']);
});

test('a name that is not there cannot be loaded or unloaded; a version that went is gone after a load', async () => {
  await using started = await start({}, true, modelSpec('m'), modelSpec('m', { version: '2' }));
  const unknown = { reason: 'SERVABLE_NOT_FOUND' };
  await expect(started.plane.load('x')).rejects.toMatchObject(unknown);
  await expect(started.plane.unload('x')).rejects.toMatchObject(unknown);
  started.wanted = [modelSpec('m', { version: '2' })];
  await started.plane.load('m');
  expect(started.states()).toEqual(['m 2 ready']);
});

test('a server may start with nothing loaded', async () => {
  await using started = await start({}, false, modelSpec('m'), modelSpec('n'));
  expect(started.states()).toEqual(['m 1 unloaded', 'n 1 unloaded']);
  await started.plane.load('n');
  await started.plane.reload();
  expect(started.states()).toEqual(['m 1 unloaded', 'n 1 ready']);
});

test('an ensemble goes alone, or with its models where none of them is kept', async () => {
  await using started = await start({}, true, modelSpec('a'), modelSpec('b'), ensembleSpec('e', ['a', 'b']));
  await started.plane.unload('e');
  expect(started.states()).toEqual(['a 1 ready', 'b 1 ready', 'e 1 unloaded']);
  await started.plane.load('e');
  const refusal = new MillraceError('PERMISSION_DENIED', 'not b');
  const refuseB = (model: string): void => {
    if (model === 'b') throw refusal;
  };
  await expect(started.plane.unload('e', refuseB)).rejects.toBe(refusal);
  expect(started.states()).toEqual(['a 1 ready', 'b 1 ready', 'e 1 ready']);
  await started.plane.unload('e', () => {});
  expect(started.states()).toEqual(['a 1 unloaded', 'b 1 unloaded', 'e 1 unloaded']);
  await expect(started.plane.load('e', undefined, refuseB)).rejects.toBe(refusal);
  expect(started.states()).toEqual(['a 1 unloaded', 'b 1 unloaded', 'e 1 unloaded']);
  await started.plane.load('e', undefined, () => {});
  await started.plane.load('e', undefined, refuseB); // which is loaded already
});
