import { describe, expect, it } from 'vitest';
import { MillraceError } from '../base/errors.ts';
import type { Datatype } from '../tensor/datatype.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import { checkInputs } from './check-inputs.ts';

const specs: TensorSpec[] = [
  { name: 'A', datatype: 'FP32', shape: [-1, 4] },
  { name: 'B', datatype: 'BYTES', shape: [1] },
];

function tensor(name: string, datatype: Datatype, shape: number[], bytes: number): Tensor {
  return { name, datatype, shape, data: new Uint8Array(bytes) };
}

const a = tensor('A', 'FP32', [2, 4], 32);
const b = tensor('B', 'BYTES', [1], 7);

function fault(tensors: Tensor[], requestId?: string, among = specs): [string, string] {
  try {
    checkInputs('m', among, tensors, requestId);
  } catch (error) {
    if (error instanceof MillraceError) return [error.reason, error.message];
    throw error;
  }
  throw new Error('nothing was found');
}

describe('checkInputs', () => {
  it('takes inputs in any order', () => {
    expect(() => checkInputs('m', specs, [b, a])).not.toThrow();
  });

  it('takes a request without its optional inputs', () => {
    const optional = specs.map((spec) => ({ ...spec, optional: spec.name === 'B' }));
    expect(() => checkInputs('m', optional, [a])).not.toThrow();
    expect(fault([b], '', optional)[1]).toMatch(/expected number of inputs between 1 and 2 but got 1 inputs/);
  });

  const unknown = '[request id: <id_unknown>] ';
  it.each<[string, Tensor[], string, string]>([
    [
      'an unknown name',
      [a, b, tensor('X', 'FP32', [1], 4)],
      'UNEXPECTED_INPUT',
      `unexpected inference input 'X' for model 'm'; it has input "A", "B"`,
    ],
    [
      'missing inputs',
      [],
      'MISSING_INPUT',
      `${unknown}expected 2 inputs but got 0 inputs for model 'm'. Got input(s) [], but missing required input(s) ['A','B']. Please provide all required input(s).`,
    ],
    ['a name given twice', [a, a, b], 'DUPLICATE_INPUT', `${unknown}input 'A' already exists in request`],
    [
      'a wrong datatype',
      [tensor('A', 'INT32', [2, 4], 32), b],
      'WRONG_DATATYPE',
      `${unknown}inference input 'A' data-type is 'INT32', but model 'm' expects 'FP32'`,
    ],
    [
      'a wrong rank',
      [tensor('A', 'FP32', [2], 8), b],
      'WRONG_SHAPE',
      `${unknown}unexpected shape for input 'A' for model 'm'. Expected [-1,4], got [2]. `,
    ],
    [
      'a wrong fixed dimension',
      [tensor('A', 'FP32', [2, 5], 40), b],
      'WRONG_SHAPE',
      `${unknown}unexpected shape for input 'A' for model 'm'. Expected [-1,4], got [2,5]. `,
    ],
    [
      'a negative dimension',
      [tensor('A', 'FP32', [-1, 4], 16), b],
      'WRONG_SHAPE',
      `${unknown}All input dimensions should be specified for input 'A' for model 'm', got [-1,4]`,
    ],
    [
      'a wrong number of bytes',
      [tensor('A', 'FP32', [2, 4], 30), b],
      'WRONG_BYTE_SIZE',
      `${unknown}input byte size mismatch for input 'A' for model 'm'. Expected 32, got 30`,
    ],
  ])('refuses %s', (_, tensors, reason, message) => {
    expect(fault(tensors)).toEqual([reason, message]);
  });

  it('names the request', () => {
    expect(fault([a, a, b], 'r7')[1]).toBe("[request id: r7] input 'A' already exists in request");
  });
});
