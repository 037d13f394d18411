import { expect, test } from 'vitest';
import type { ModelSession } from '../runtime/model-session.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { ConfiguredSession } from './configured-session.ts';

/** A model with inputs A and B and outputs of the shapes that are given. */
class FakeSession implements ModelSession {
  readonly name = 'm';
  readonly version = '1';
  readonly provider = 'cpu';
  readonly inputs = ['A', 'B'].map((name) => ({ name, datatype: 'FP32' as const, shape: [-1, 4] }));
  readonly outputs = ['X', 'Y'].map((name) => ({ name, datatype: 'FP32' as const, shape: [-1, 4] }));
  given: readonly Tensor[] = [];
  isClosed = false;
  readonly #shapes: Readonly<Record<string, readonly number[]>>;

  constructor(shapes: Readonly<Record<string, readonly number[]>> = {}) {
    this.#shapes = shapes;
  }

  run(inputs: readonly Tensor[]): Promise<Tensor[]> {
    this.given = inputs;
    return Promise.resolve(this.outputs.map(({ name }) => tensor(name, this.#shapes[name] ?? [1, 4])));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

const tensor = (name: string, shape: readonly number[]): Tensor => ({
  name,
  datatype: 'FP32',
  shape,
  data: new Uint8Array(4 * shape.reduce((product, dim) => product * dim, 1)),
});

const configured = (name: string, shape: readonly number[], reshape?: readonly number[]) => ({
  name,
  datatype: 'FP32' as const,
  shape,
  reshape,
});

test('tensors have the shapes of the configuration outside and their own inside, the batch apart', async () => {
  const session = new FakeSession({ X: [3, 5, 7] });
  const inputs = [configured('A', [-1, 1], []), configured('B', [-1, 2, -1, 1], [-1, 2])];
  const outputs = [configured('X', [-1, 1, -1, 7], [-1, 7])];
  const model = new ConfiguredSession(session, { maxBatchSize: 8, inputs, outputs });
  const results = await model.run([tensor('A', [3, 1]), tensor('B', [3, 2, 9, 1])]);
  expect(session.given.map(({ shape }) => shape)).toEqual([[3], [3, 9, 2]]);
  expect(results.map(({ name, shape }) => ({ name, shape }))).toEqual([{ name: 'X', shape: [3, 1, 5, 7] }]);
});

test('without a batch the whole shape changes', async () => {
  const session = new FakeSession();
  const outputs = [configured('Y', [4], [1, 4])];
  const model = new ConfiguredSession(session, { maxBatchSize: 0, inputs: [configured('A', [4], [1, 4])], outputs });
  const [result] = await model.run([tensor('A', [4])]);
  expect(session.given.map(({ shape }) => shape)).toEqual([[1, 4]]);
  expect(result?.shape).toEqual([4]);
});

test('a tensor that the model does not have is refused', () => {
  const outputs = [configured('Z', [4])];
  expect(() => new ConfiguredSession(new FakeSession(), { maxBatchSize: 0, inputs: [], outputs })).toThrow(
    "unexpected inference output 'Z', allowed outputs are: X, Y",
  );
});

test('closing it closes the model', async () => {
  const session = new FakeSession();
  await new ConfiguredSession(session, { maxBatchSize: 0, inputs: [], outputs: [] })[Symbol.asyncDispose]();
  expect(session.isClosed).toBe(true);
});
