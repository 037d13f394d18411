import { MillraceError } from '../../base/errors.ts';
import { tensorOf, typedData, type Tensor, type TensorSpec } from '../../tensor/tensor.ts';
import type { BackendSession, ChosenRun, RunCaller } from '../model-session.ts';
import type { SequenceOptions } from './sequence-options.ts';
import type { SequenceSession } from './sequence-session.ts';

export const spec = (name: string, datatype: 'FP32' | 'INT32' | 'INT64'): TensorSpec => ({
  name,
  datatype,
  shape: [-1, 1],
});

/** SUM and STATE_OUT are INPUT + STATE_IN; runs wait for their turn, as those of a busy model. */
export class SumModel implements BackendSession {
  readonly name = 'sum';
  readonly version = '1';
  readonly provider = 'cpu';
  readonly inputs = [
    spec('INPUT', 'FP32'),
    spec('STATE_IN', 'FP32'),
    spec('START', 'INT32'),
    spec('END', 'INT32'),
    spec('READY', 'INT32'),
    spec('CORRID', 'INT64'),
  ];
  readonly outputs = [spec('SUM', 'FP32'), spec('STATE_OUT', 'FP32')];
  /** Of each run, its rows as "input start end ready id". */
  readonly runs: string[][] = [];
  fails = false;
  #turns: (() => void)[] = [];
  #isFree = false;

  async run(inputs: readonly Tensor[], isWanted: () => boolean = () => true): Promise<Tensor[]> {
    const outputs = await this.runNext(() =>
      isWanted() ? { inputs, requests: 1, inferences: 1, queueNs: 0 } : undefined,
    );
    if (outputs === undefined) throw new MillraceError('CANCELLED', 'nobody waits');
    return outputs;
  }

  async runNext(choose: () => ChosenRun | undefined): Promise<Tensor[] | undefined> {
    if (this.#isFree) await settled();
    else await new Promise<void>((resolve) => this.#turns.push(resolve));
    const run = choose();
    if (run === undefined) return undefined;
    const values = (name: string): (number | bigint)[] => {
      const tensor = run.inputs.find((input) => input.name === name);
      return tensor === undefined ? [] : [...typedData(tensor)];
    };
    const width = run.inputs.find(({ name }) => name === 'INPUT')?.shape[1] ?? 1;
    const [input, start, end, ready, id] = ['INPUT', 'START', 'END', 'READY', 'CORRID'].map((name) =>
      values(name).filter((_, i) => name !== 'INPUT' || i % width === 0),
    );
    const states = values('STATE_IN');
    this.runs.push((input ?? []).map((x, i) => [x, start?.[i], end?.[i], ready?.[i], id?.[i]].join(' ')));
    if (this.fails) throw new MillraceError('MODEL_FAILED', 'it failed');
    const sums = Float32Array.from((input ?? []) as number[], (x, i) => x + Number(states[i] ?? 0));
    return ['SUM', 'STATE_OUT'].map((name) => tensorOf(name, 'FP32', [sums.length, 1], sums.slice()));
  }

  free(): void {
    this.#isFree = true;
    for (const turn of this.#turns.splice(0)) turn();
  }

  /** Lets the next run begin and end. */
  async turn(): Promise<void> {
    await settled();
    this.#turns.shift()?.();
    await settled();
    await settled();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const flag = (input: string, kind: 'start' | 'end' | 'ready') =>
  ({ input, kind, datatype: 'INT32', falseTrue: [0, 1] }) as const;

export const direct: SequenceOptions = {
  maxIdleUs: 1_000_000,
  controls: [
    flag('START', 'start'),
    flag('END', 'end'),
    flag('READY', 'ready'),
    { input: 'CORRID', kind: 'correlation_id', datatype: 'INT64', falseTrue: undefined },
  ],
  strategy: { kind: 'direct', maxQueueDelayUs: 0, minSlotUtilization: 0 },
  states: [{ input: 'STATE_IN', output: 'STATE_OUT', datatype: 'FP32', shape: [1], initial: undefined }],
};
export const oldest: SequenceOptions = {
  ...direct,
  strategy: { kind: 'oldest', maxCandidateSequences: 2, preferredSizes: [], maxQueueDelayUs: 0, preservesOrder: false },
};

export type Flags = '' | 'S' | 'E' | 'SE';

/** Sends a request; the sum, or the reason and text of its fault. */
export async function sendTo(
  session: SequenceSession,
  id: number | string | undefined,
  x: number,
  flags: Flags = '',
  caller: RunCaller = {},
  isWanted?: () => boolean,
): Promise<number | string> {
  const step = {
    id: typeof id === 'number' ? BigInt(id) : id,
    isStart: flags.includes('S'),
    isEnd: flags.includes('E'),
  };
  const input = tensorOf('INPUT', 'FP32', [1, 1], Float32Array.of(x));
  try {
    const outputs = await session.run([input], isWanted, { ...caller, sequence: step });
    const names = outputs.map(({ name }) => name).join();
    if (names !== 'SUM') throw new Error(`outputs ${names}, SUM alone expected`);
    return typedData(outputs[0] as Tensor)[0] as number;
  } catch (error) {
    const { reason, message } = MillraceError.from(error);
    return `${reason}: ${message}`;
  }
}

/** What `sendTo` is given besides the session. */
export type Sent = Parameters<typeof sendTo> extends [unknown, ...infer Rest] ? Rest : never;
