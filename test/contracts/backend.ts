import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { RunTiming } from '../../src/ipc/run-timing.ts';
import type { Backend, ModelOptions, RunMonitor } from '../../src/runtime/model-session.ts';
import { tensorOf, typedData } from '../../src/tensor/tensor.ts';

/** What the suite needs of a backend: files of its kind, by absolute path. */
export interface BackendCase {
  readonly backend: Backend;
  /** SUM = A + B, each FP32 [1, 4]. */
  readonly add: string;
  /** A file of the backend's kind that is cut off. */
  readonly truncated: string;
  /** A file name of the backend's kind where there is none. */
  readonly missing: string;
  /** Besides the caller's thread; 0 where not said. */
  readonly inferenceThreads?: number;
}

const tensor = (name: string, values: readonly number[]) => tensorOf(name, 'FP32', [1, 4], new Float32Array(values));
const inputs = [tensor('B', [10, 20, 30, 40]), tensor('A', [1, 2, 3, 4])];

function options(path: string, inferenceThreads: number): ModelOptions {
  const where = { intraOpThreads: 1, inferenceThreads };
  return { name: 'm', version: '1', path, executionProviders: ['cpu'], ...where, runDeadlineMs: 500 };
}

/** Tells `events` what a monitor is told, and keeps the timings of runs. */
function createMonitor(): RunMonitor & { readonly events: string[]; readonly timings: RunTiming[] } {
  const [events, timings]: [string[], RunTiming[]] = [[], []];
  return {
    events,
    timings,
    runStarted: (deadlineMs) => void events.push(`started ${deadlineMs}`),
    runEnded: (timing) => {
      events.push('ended');
      timings.push(timing);
    },
  };
}

/** Every backend runs this. */
export function describeBackend({ backend, add, truncated, missing, inferenceThreads = 0 }: BackendCase): void {
  const load = (path = add, monitor: RunMonitor = createMonitor()) =>
    backend.load(options(path, inferenceThreads), monitor, silentLogger);
  /** A run that blocks nobody is told of when it has ended. */
  const toldOfRun = inferenceThreads === 0 ? ['started 500', 'ended'] : ['ended'];

  describe(`backend ${backend.name} with ${inferenceThreads} inference threads`, () => {
    it('knows its files by their names', () => {
      expect(backend.accepts(add)).toBe(true);
      expect(backend.accepts('/models/notes.txt')).toBe(false);
    });

    it('loads a model and says what it takes and gives', async () => {
      await using session = await load();
      const spec = (name: string) => ({ name, datatype: 'FP32', shape: [1, 4] });
      expect(session).toMatchObject({ name: 'm', version: '1', provider: 'cpu' });
      expect(session.inputs).toEqual([spec('A'), spec('B')]);
      expect(session.outputs).toEqual([spec('SUM')]);
    });

    it('does not start a run that nobody waits for when its turn comes', async () => {
      const monitor = createMonitor();
      await using session = await load(add, monitor);
      monitor.events.length = 0;
      let isWanted = true;
      const runs = [session.run(inputs), session.run(inputs, () => isWanted)];
      isWanted = false;
      await expect(runs[1]).rejects.toMatchObject({ reason: 'CANCELLED' });
      expect(await runs[0]).toHaveLength(1);
      expect(monitor.events).toEqual(toldOfRun);
    });

    it('has a run put together when its turn comes, and measures it as that', async () => {
      const monitor = createMonitor();
      await using session = await load(add, monitor);
      monitor.timings.length = 0;
      let chosen = inputs;
      const first = session.run(inputs);
      const second = session.runNext(() => ({ inputs: chosen, requests: 2, inferences: 3, queueNs: 1000 }));
      chosen = [tensor('A', [0, 0, 0, 0]), tensor('B', [5, 5, 5, 5])];
      await first;
      const [sum] = (await second) ?? [];
      expect(sum && [...typedData(sum)]).toEqual([5, 5, 5, 5]);
      expect(monitor.timings[1]).toMatchObject({ batchSize: 3, requests: 2 });
      expect(monitor.timings[1]?.queueNs).toBeGreaterThanOrEqual(1000);
    });

    it('runs nothing where nothing is chosen', async () => {
      const monitor = createMonitor();
      await using session = await load(add, monitor);
      monitor.events.length = 0;
      expect(await session.runNext(() => undefined)).toBeUndefined();
      expect(monitor.events).toEqual([]);
      expect(await session.run(inputs)).toHaveLength(1);
    });

    it('takes inputs in any order and leaves them alone', async () => {
      await using session = await load();
      const outputs = await session.run(inputs);
      expect(outputs).toMatchObject([{ name: 'SUM', datatype: 'FP32', shape: [1, 4] }]);
      expect(outputs.map((output) => [...typedData(output)])).toEqual([[11, 22, 33, 44]]);
      expect(inputs.map((input) => typedData(input)[0])).toEqual([10, 1]);
    });

    it('gives each run outputs of their own', async () => {
      await using session = await load();
      const [[first], [second]] = await Promise.all([
        session.run(inputs),
        session.run([tensor('A', [0, 0, 0, 0]), tensor('B', [5, 5, 5, 5])]),
      ]);
      expect(first && [...typedData(first)]).toEqual([11, 22, 33, 44]);
      expect(second && [...typedData(second)]).toEqual([5, 5, 5, 5]);
    });

    it('announces each run, one at a time, and measures it', async () => {
      const monitor = createMonitor();
      await using session = await load(add, monitor);
      monitor.events.length = monitor.timings.length = 0;
      await Promise.all([session.run(inputs), session.run(inputs)]);
      expect(monitor.events).toEqual([...toldOfRun, ...toldOfRun]);
      expect(monitor.timings).toHaveLength(2);
      for (const { batchSize, queueNs, inputNs, inferNs, outputNs } of monitor.timings) {
        expect(batchSize).toBe(1);
        expect(inferNs).toBeGreaterThan(0);
        for (const ns of [queueNs, inputNs, inferNs, outputNs]) expect(Number.isSafeInteger(ns) && ns >= 0).toBe(true);
      }
    });

    it('goes on after a run that failed', async () => {
      const monitor = createMonitor();
      await using session = await load(add, monitor);
      const work = session.run([tensor('A', [1, 2, 3, 4])]);
      await expect(work).rejects.toBeInstanceOf(MillraceError);
      await expect(work).rejects.toMatchObject({ reason: 'MODEL_FAILED' });
      expect(monitor.events.at(-1)).toBe('ended');
      expect(await session.run(inputs)).toHaveLength(1);
    });

    it('closes once, after the runs asked for before, and then runs nothing', async () => {
      const session = await load();
      const running = session.run(inputs);
      await Promise.all([session[Symbol.asyncDispose](), session[Symbol.asyncDispose]()]);
      expect(await running).toHaveLength(1);
      await session[Symbol.asyncDispose]();
      await expect(session.run(inputs)).rejects.toMatchObject({ reason: 'MODEL_FAILED' });
    });

    it.each([
      ['is missing', missing],
      ['is cut off', truncated],
    ])('names a file that %s', async (_, path) => {
      const work = load(path);
      await expect(work).rejects.toMatchObject({ reason: 'MODEL_INVALID' });
      await expect(work).rejects.toThrow(path);
    });
  });
}
