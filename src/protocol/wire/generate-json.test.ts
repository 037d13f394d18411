import { describe, expect, it } from 'vitest';
import { encodeBytes, textData } from '../../tensor/bytes.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import { tensorOf, typedData, type TensorSpec } from '../../tensor/tensor.ts';
import { decodeGenerateRequest, encodeGenerateResponse, type GenerateRequest } from './generate-json.ts';

const TEXT: TensorSpec = { name: 'text_input', datatype: 'BYTES', shape: [1] };
const NUMBERS: TensorSpec = { name: 'n', datatype: 'INT32', shape: [-1] };

function decode(body: unknown, specs: readonly TensorSpec[] = [TEXT, NUMBERS]): GenerateRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return decodeGenerateRequest(Buffer.from(text), { servable: 'm', version: '' }, specs);
}

function shapeOf(shape: readonly number[], count: number): readonly number[] | undefined {
  const data = Array.from({ length: count }, () => 1);
  return decode({ n: data }, [{ ...NUMBERS, shape }]).request.inputs[0]?.shape;
}

describe('decodeGenerateRequest', () => {
  it('turns keys into inputs and the rest into parameters', () => {
    const { form, request } = decode({
      id: 'r',
      text_input: 'hällo\n',
      delay_s: 0.5,
      parameters: { n: [1, 2, 3], count: 3, flag: true, name: 'x', triton_a: 1 },
    });
    expect(form).toBe('flat');
    expect(request).toMatchObject({ servable: 'm', version: '', id: 'r', outputs: [] });
    expect({ ...request.parameters }).toEqual({ delay_s: 0.5, count: 3n, flag: true, name: 'x', triton_a: 1n });
    const [text, numbers] = request.inputs;
    expect(text && textData(text)).toEqual(['hällo\n']);
    expect(text?.shape).toEqual([1]);
    expect(numbers && [...typedData(numbers)]).toEqual([1, 2, 3]);
    expect(numbers?.shape).toEqual([3]);
  });

  it.each([
    [[-1], 3, [3]],
    [[-1, -1], 4, [1, 4]],
    [[-1, 2, -1], 4, [1, 2, 2]],
    [[2, 2], 4, [2, 2]],
    [[], 1, []],
    [[-1], 0, [0]],
  ])('fits into %j %i elements as %j', (spec, count, expected) => {
    expect(shapeOf(spec, count)).toEqual(expected);
  });

  it.each([
    [[2], 3],
    [[2, -1], 3],
    [[], 2],
    [[1], 0],
  ])('cannot fit into %j %i elements', (spec, count) => {
    expect(() => shapeOf(spec, count)).toThrow("The schema can not convert input 'n' to tensor with proper shape");
  });

  it('takes a body with inputs as objects for the V2 form', () => {
    const { form, request } = decode({ inputs: [{ name: 'x', shape: [1], datatype: 'BYTES', data: ['a'] }], id: 'r' });
    expect(form).toBe('v2');
    expect(request.inputs[0]?.name).toBe('x');
  });

  it('takes an input called inputs for one', () => {
    const { form, request } = decode({ inputs: ['a'] }, [{ ...TEXT, name: 'inputs' }]);
    expect(form).toBe('flat');
    expect(request.inputs).toHaveLength(1);
  });

  it.each<[unknown, string]>([
    [{ x: [1] }, "parameter 'x' has invalid type: it is an array"],
    [{ x: null }, "parameter 'x' has invalid type: it is null"],
    [{ parameters: { x: {} } }, "Converting keyword: 'parameters': parameter 'x' has invalid type"],
    [{ parameters: 5 }, '"parameters" is the integer 5, an object expected'],
    [{ id: 5 }, '"id" is the integer 5, a string expected'],
    [{ text_input: 5 }, 'input "text_input" (BYTES): data[0] is 5, a string expected'],
    [{ n: 'a' }, 'input "n" (INT32): data[0] is a string, a number expected'],
    [{ n: {} }, 'data[0] is an object, a number expected'],
    ['{"n":1,"n":2}', 'key "n" appears twice'],
    [{ n: 1, parameters: { n: 1 } }, "input 'n' already exists in request"],
    ['[1]', 'the request body is an array, an object expected'],
    ['{"n":1', "',' or '}' expected"],
  ])('refuses %j', (body, message) => {
    expect(() => decode(body)).toThrow(message);
  });

  it('refuses an input whose datatype the metadata does not know, and takes it in V2 form', () => {
    const specs: TensorSpec[] = [{ name: 'n', datatype: 'INVALID', shape: [] }];
    expect(() => decode({ n: 1 }, specs)).toThrow(
      "input 'n' of 'm' has no datatype in its metadata; send a V2 request that names one",
    );
    const inputs = [{ name: 'n', datatype: 'FP32', shape: [1], data: [1] }];
    expect(decode({ inputs }, specs).request.inputs[0]?.datatype).toBe('FP32');
  });

  it('names the first fault in the order of the document', () => {
    expect(() => decode('{"n":"a","text_input":5}')).toThrow('input "n"');
  });
});

describe('encodeGenerateResponse', () => {
  const response = {
    servable: 'm',
    version: '1',
    id: 'r',
    parameters: { p: 1n },
    outputs: [
      { name: 'text_output', datatype: 'BYTES' as const, shape: [1], data: encodeBytes(['a\nb']) },
      tensorOf('many', 'INT32', [2], Int32Array.of(1, 2)),
      tensorOf('none', 'FP32', [1, 0], new Float32Array(0)),
      tensorOf('one', 'FP32', [1, 1], Float32Array.of(0.5)),
    ],
  };

  it('writes one key per output; one element is a scalar, none an empty array', () => {
    expect(encodeGenerateResponse(response, 'flat')).toBe(
      '{"id":"r","model_name":"m","model_version":"1","p":1,"text_output":"a\\nb","many":[1,2],"none":[],"one":0.5}',
    );
    expect(encodeGenerateResponse({ ...response, id: '', outputs: [] }, 'flat')).not.toContain('"id"');
  });

  it('writes the V2 form as an inference response', () => {
    const v2 = encodeGenerateResponse(response, 'v2');
    expect(JSON.parse(v2)).toMatchObject({ id: 'r', outputs: [{ name: 'text_output', data: ['a\nb'] }, {}, {}, {}] });
    expect(v2).not.toContain('\n');
  });
});

describe('a request without parameters', () => {
  it('has none', () => {
    const request: InferenceRequest = decode({ text_input: 'a' }).request;
    expect(request.parameters).toBeUndefined();
  });
});
