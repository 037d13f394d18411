import { tensorFromJson, type JsonTensor } from '../../client/json-tensors.ts';
import { fittedShape, type InputMetadata } from '../../perf/requests.ts';
import type { Parameters, ParameterValue } from '../../tensor/parameters.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** Request parameters as typed, each `name:value` or `name:value:type`. @param fault makes the error that says what was expected */
export function parametersOf(texts: readonly string[], fault: (problem: string) => Error): Parameters {
  const entries = texts.map((text) => {
    const [name = '', ...rest] = text.split(':');
    const type = rest.length > 1 ? rest.pop() : undefined;
    const value = rest.join(':'); // which may have colons itself
    return [name, parameterOf(value, type ?? 'string', (problem) => fault(`${text}: ${problem}`))] as const;
  });
  return Object.fromEntries(entries);
}

function parameterOf(text: string, type: string, fault: (problem: string) => Error): ParameterValue {
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
