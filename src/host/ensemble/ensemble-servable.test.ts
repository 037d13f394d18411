import { describe, expect, test } from 'vitest';
import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import type { ModelSession } from '../../runtime/model-session.ts';
import type { EnsembleStep } from '../host-spec.ts';
import { ensembleGraph } from '../../serving/layouts/ensemble-graph.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import { loadEnsemble } from './ensemble-servable.ts';

const row = (name: string, ...values: number[]): Tensor =>
  tensorOf(name, 'FP32', [values.length], Float32Array.from(values));
const spec = (name: string) => ({ name, datatype: 'FP32' as const, shape: [-1] });

/** A model that makes OUT of IN. */
const model = (name: string, make: (value: number) => number | Promise<never>): ModelSession => ({
  name,
  version: '1',
  provider: 'cpu',
  inputs: [spec('IN')],
  outputs: [spec('OUT')],
  run: async ([input]) => {
    const values: number[] = [];
    for (const value of input === undefined ? [] : typedData(input)) values.push(await make(Number(value)));
    return [row('OUT', ...values)];
  },
  [Symbol.asyncDispose]: () => Promise.resolve(),
});

const MODELS = [
  model('double', (value) => value * 2),
  model('next', (value) => value + 1),
  model('fault', () => Promise.reject(new MillraceError('MODEL_FAILED', 'it does not add up'))),
];

const step = (name: string, input: string, output: string): EnsembleStep => ({
  model: name,
  version: '',
  inputs: { IN: input },
  outputs: { OUT: output },
});

/** An ensemble with input "the X" and these outputs. */
function ensemble(steps: readonly EnsembleStep[], outputs: readonly string[], maxBatchSize = 0) {
  const held = { count: 0 };
  const own = (name: string) => ({ name, tensor: name });
  const graph = ensembleGraph([own('the X')], outputs.map(own), steps);
  const load = {
    kind: 'ensemble' as const,
    name: 'e',
    version: '1',
    graphText: graph.text,
    steps: graph.steps,
    streams: graph.streams,
    models: graph.models,
    signature: { maxBatchSize, inputs: [spec('the X')], outputs: outputs.map(spec) },
  };
  const servable = loadEnsemble(load, () => {
    held.count++;
    return {
      release: () => void held.count--,
      models: {
        session: (name) => {
          const found = MODELS.find((each) => each.name === name);
          if (found === undefined) throw new MillraceError('SERVABLE_NOT_FOUND', `model '${name}' is not loaded`);
          return found;
        },
      },
    };
  });
  const infer = (inputs: readonly Tensor[], outputNames: readonly string[] = [], cancellation = new Cancellation()) =>
    servable.infer(
      { servable: 'e', version: '', id: '7', inputs, outputs: outputNames.map((name) => ({ name })) },
      cancellation,
    );
  return { servable, infer, held };
}

const numbers = (tensors: readonly Tensor[]) =>
  tensors.map((tensor) => [tensor.name, ...Array.from(typedData(tensor), Number)]);

describe('an ensemble', () => {
  const chain = [step('next', 'mid', 'the Z'), step('double', 'the X', 'mid')];

  test('runs its steps as their tensors come, whatever their order', async () => {
    const { infer, held } = ensemble(chain, ['the Z']);
    const response = await infer([row('the X', 1, 2, 3)]);
    expect(response).toMatchObject({ servable: 'e', version: '1', id: '7' });
    expect(numbers(response.outputs)).toEqual([['the Z', 3, 5, 7]]);
    expect(held.count).toBe(0);
  });

  test('answers the outputs that are asked for; a tensor may be both output and input', async () => {
    const { infer } = ensemble(chain, ['mid', 'the Z']);
    expect(numbers((await infer([row('the X', 1)])).outputs)).toEqual([
      ['mid', 2],
      ['the Z', 3],
    ]);
    expect(numbers((await infer([row('the X', 1)], ['the Z'])).outputs)).toEqual([['the Z', 3]]);
    await expect(infer([row('the X', 1)], ['Y'])).rejects.toThrow("unexpected inference output 'Y' for model 'e'");
  });

  test('refuses requests by its own configuration', async () => {
    const { infer } = ensemble(chain, ['the Z'], 2);
    await expect(infer([row('X', 1)])).rejects.toMatchObject({ reason: 'UNEXPECTED_INPUT' });
    await expect(infer([row('the X', 1, 2, 3)])).rejects.toThrow("inference request batch-size must be <= 2 for 'e'");
  });

  test("a step's failure is told with the ensemble's name, and models are given back", async () => {
    const { infer, held } = ensemble([step('double', 'the X', 'mid'), step('fault', 'mid', 'Z')], ['Z']);
    await expect(infer([row('the X', 1)])).rejects.toMatchObject({
      reason: 'MODEL_FAILED',
      message: "in ensemble 'e', it does not add up",
    });
    expect(held.count).toBe(0);
  });

  test('a request that is cancelled ends with why', async () => {
    const { infer } = ensemble(chain, ['the Z']);
    const cancellation = new Cancellation();
    const answer = infer([row('the X', 1)], [], cancellation);
    cancellation.cancel(new MillraceError('DEADLINE_EXCEEDED', 'too late'));
    await expect(answer).rejects.toThrow('too late');
  });

  test('is not loaded without its models', () => {
    expect(() => ensemble([step('none', 'the X', 'Z')], ['Z'])).toThrow(
      "ensemble 'e' depends on 'none' which has no loaded version.",
    );
    expect(() => ensemble([{ ...step('none', 'the X', 'Z'), version: '7' }], ['Z'])).toThrow(
      "ensemble 'e' depends on 'none' whose required version 7 is not loaded.",
    );
  });

  test('tells its tensors and its models', () => {
    const { description } = ensemble(chain, ['the Z']).servable;
    expect(description).toMatchObject({ platform: 'ensemble', decoupled: false, models: ['next', 'double'] });
    expect(description.inputs).toEqual([spec('the X')]);
  });
});
