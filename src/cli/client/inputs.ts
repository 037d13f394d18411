import { tensorFromJson, type JsonTensor } from '../../client/json-tensors.ts';
import type { InputMetadata } from '../../perf/requests.ts';
import type { ParameterValue } from '../../tensor/parameters.ts';
import { elementCount, type Tensor } from '../../tensor/tensor.ts';

/** @param fault makes the error that says what was expected */
export function parameterOf(text: string, type: string, fault: (problem: string) => Error): ParameterValue {
  switch (type) {
    case 'string':
      return text;
    case 'bool':
      if (text !== 'true' && text !== 'false') throw fault('true or false expected');
      return text === 'true';
    case 'int':
      if (!/^-?\d+$/.test(text)) throw fault('an integer expected');
      return BigInt(text);
    case 'double':
      if (text.trim() === '' || Number.isNaN(Number(text))) throw fault('a number expected');
      return Number(text);
    default:
      throw fault(`type "${type}" given, bool, int, double or string expected`);
  }
}

/**
 * A tensor from what was typed: JSON values (`[1, 2]`, `3.5`), or a text where the input is BYTES. One open dimension takes
 * what is there.
 * @throws RangeError that says what does not fit
 */
export function typedInput(input: InputMetadata, text: string): Tensor {
  const { name, datatype } = input;
  const values = flat(datatype === 'BYTES' && !text.startsWith('[') ? text : parsed(name, text));
  const shape = fittedShape(input, values.length);
  return tensorFromJson({ name, datatype, shape, data: values } as JsonTensor);
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RangeError(`input "${name}": ${text} given, JSON expected, as 3.5 or [1, 2]`);
  }
}

function flat(value: unknown): unknown[] {
  return Array.isArray(value) ? value.flat(Infinity) : [value];
}

function fittedShape({ name, shape }: InputMetadata, count: number): number[] {
  const known = elementCount(shape.filter((dim) => dim >= 0));
  const open = shape.findLastIndex((dim) => dim < 0);
  const rest = count / known;
  if (!Number.isInteger(rest) || (open < 0 && rest !== 1)) {
    throw new RangeError(`input "${name}": ${count} values given, shape [${shape.join(',')}] expected`);
  }
  return shape.map((dim, i) => (dim >= 0 ? dim : i === open ? rest : 1));
}
