import { describe, expect, test } from 'vitest';
import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import type { ModelSession } from '../../runtime/model-session.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import type { EnsembleLoad, EnsembleStep } from '../host-spec.ts';
import { Flow, MAX_ROWS, type Values } from './flow.ts';
import { planLevels } from './plan.ts';
import { Rows } from './rows.ts';

const number = (name: string, value: number): Tensor => tensorOf(name, 'INT32', [1], Int32Array.of(value));
const valueOf = (tensor: Tensor | undefined): number => (tensor === undefined ? NaN : Number(typedData(tensor)[0]));

const NO_SPECS = { version: '1', provider: '', inputs: [], outputs: [] };
const disposed = { [Symbol.asyncDispose]: () => Promise.resolve() };

/** A step that gives 0, 1, 2 … as often as its input says, and counts what it was asked for. */
function producer(): ModelSession & { made: number } {
  return {
    ...NO_SPECS,
    ...disposed,
    name: 'many',
    made: 0,
    step: { kind: 'runtime', decoupled: true },
    run: () => Promise.reject(new Error('it streams')),
    async *stream([input]) {
      for (let i = 0; i < valueOf(input); i++) {
        this.made++;
        yield [number('OUT', i)];
      }
    },
  };
}

function mapping(map: (value: number) => number | Promise<number>): ModelSession {
  return {
    ...NO_SPECS,
    ...disposed,
    name: 'one',
    step: { kind: 'runtime', decoupled: false },
    run: async ([input]) => [number('OUT', await map(valueOf(input)))],
  };
}

const step = (input: string, output: string, maxInflight = 0): EnsembleStep => ({
  model: '',
  version: '',
  inputs: { IN: input },
  outputs: { OUT: output },
  maxInflight,
});

const load = (steps: readonly EnsembleStep[], outputs: readonly string[]): EnsembleLoad => ({
  kind: 'ensemble',
  name: 'e',
  version: '1',
  graphText: '',
  steps,
  streams: {},
  signature: {
    maxBatchSize: 0,
    inputs: [{ name: 'X', datatype: 'INT32', shape: [1] }],
    outputs: outputs.map((name) => ({ name, datatype: 'INT32', shape: [1] })),
  },
  models: [],
});

const isDecoupled = (sessions: readonly ModelSession[]) => (at: number) => sessions[at]?.step?.decoupled === true;

async function run(
  steps: readonly EnsembleStep[],
  sessions: readonly ModelSession[],
  count: number,
  answer: (value: number) => Promise<void> | void,
  cancellation = new Cancellation(),
): Promise<void> {
  const level = planLevels(load(steps, ['Y']), isDecoupled(sessions));
  const flow = new Flow({ steps, sessions, caller: {}, cancellation });
  await flow.run(level, new Map([['X', number('X', count)]]), (values: Values) => answer(valueOf(values.get('Y'))));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a request to an ensemble', () => {
  test('answers in the order of the responses that it comes of, whichever is ready first', async () => {
    const release: (() => void)[] = [];
    const slow = mapping(
      (value) =>
        new Promise((resolve) => {
          release.push(() => resolve(value));
          if (release.length === 4) for (const go of release.toReversed()) go();
        }),
    );
    const answers: number[] = [];
    await run([step('X', 'm'), step('m', 'Y')], [producer(), slow], 4, (value) => void answers.push(value));
    expect(answers).toEqual([0, 1, 2, 3]);
  });

  test.each([
    [1, 1],
    [3, 3],
    [0, MAX_ROWS],
  ])('with max_inflight_requests %i has at most %i responses under way', async (limit, most) => {
    let underWay = 0;
    let mostSeen = 0;
    const counted = mapping(async (value) => {
      mostSeen = Math.max(mostSeen, ++underWay);
      await turn();
      underWay--;
      return value;
    });
    const many = producer();
    await run([step('X', 'm', limit), step('m', 'Y')], [many, counted], 200, () => {});
    expect(mostSeen).toBe(most);
    expect(many.made).toBe(200);
  });

  test('takes no more of a step than its answers are taken', async () => {
    const many = producer();
    const cancellation = new Cancellation();
    const running = run([step('X', 'Y', 2)], [many], 1000, () => new Promise(() => {}), cancellation);
    for (let i = 0; i < 20; i++) await turn();
    expect(many.made).toBe(3);
    running.catch(() => {});
  });

  test('a failure is told after the answers before it, and ends the step that streams', async () => {
    const many = producer();
    const failing = mapping((value) => (value === 3 ? Promise.reject(new Error('three')) : value));
    const answers: number[] = [];
    const running = run([step('X', 'm', 8), step('m', 'Y')], [many, failing], 1000, async (value) => {
      await turn();
      answers.push(value);
    });
    await expect(running).rejects.toThrow('three');
    expect(answers).toEqual([0, 1, 2]);
    expect(many.made).toBeLessThan(20);
  });

  test('that is cancelled throws why', async () => {
    const cancellation = new Cancellation();
    const running = run(
      [step('X', 'Y')],
      [producer()],
      10_000,
      (value) => {
        if (value === 5) cancellation.cancel(new MillraceError('CANCELLED', 'the client left'));
      },
      cancellation,
    );
    await expect(running).rejects.toThrow('the client left');
  });
});

describe('the plan of an ensemble', () => {
  const plan = (steps: readonly EnsembleStep[], outputs: readonly string[], many: readonly number[]) =>
    planLevels(load(steps, outputs), (at) => many.includes(at));

  test('runs what comes after a step that answers more than once for each of its responses', () => {
    const after = new Map([[1, { steps: [0], after: new Map(), isAnswer: true }]]);
    expect(plan([step('m', 'Y'), step('X', 'm')], ['Y'], [1])).toEqual({ steps: [1], after, isAnswer: false });
  });

  test.each([
    ['with an output that comes once', [step('X', 'Y'), step('X', 'Z')], ['Y', 'Z']],
    [
      'into a step with an input that comes once',
      [step('X', 'm'), { ...step('m', 'Y'), inputs: { A: 'm', B: 'X' } }],
      ['Y'],
    ],
  ] as const)('is refused where what comes many times meets %s', (_, steps, outputs) => {
    expect(() => plan(steps, outputs, [0])).toThrow(
      "in ensemble e, step of model 'e' receives inputs originated from different decoupled models",
    );
  });
});

test('outputs of a step belong together by their number, whichever responses they come in', () => {
  const rows = new Rows('many', { A: 'a', B: 'b' });
  const add = (...tensors: readonly Tensor[]) =>
    Array.from(rows.add(tensors), (row) => [valueOf(row.get('a')), valueOf(row.get('b'))]);
  expect(add(number('A', 1))).toEqual([]);
  expect(add(number('A', 2), number('other', 0))).toEqual([]);
  expect(add(number('B', 10))).toEqual([[1, 10]]);
  expect(add(number('B', 20))).toEqual([[2, 20]]);
  expect(() => {
    for (let i = 0; i < 2000; i++) add(number('B', i));
  }).toThrow('\'many\' gave output "B" 1025 times more often than output "A", at most 1024 expected');
});
