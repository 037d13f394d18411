import { describe, expect, it } from 'vitest';
import { runCalculator, type OptionFields } from '../../graph/index.ts';
import { DATATYPES } from '../../tensor/datatype.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { identity } from './identity.ts';

const inputs: Tensor[] = DATATYPES.map((datatype) => ({
  name: `INPUT_${datatype}`,
  datatype,
  shape: [0],
  data: new Uint8Array(0),
}));

async function answer(request: Partial<InferenceRequest>, options: OptionFields = {}): Promise<InferenceResponse> {
  const whole = { servable: 'echo', version: '1', id: 'r1', inputs, outputs: [], ...request };
  const { outputs } = await runCalculator(identity, {
    inputs: { REQUEST: [[7, whole]] },
    outputs: ['RESPONSE'],
    options,
  });
  const [packet] = outputs['RESPONSE'] ?? [];
  expect(packet?.timestamp).toBe(7n);
  return packet?.value as InferenceResponse;
}

describe('IdentityCalculator', () => {
  it('answers with the tensors of the request, of every datatype', async () => {
    const response = await answer({});
    expect(response).toMatchObject({ servable: 'echo', version: '1', id: 'r1' });
    expect(response.outputs.map(({ name }) => name)).toEqual(inputs.map(({ name }) => name));
    response.outputs.forEach((output, at) => expect(output.data).toBe(inputs[at]?.data));
  });

  it('renames by prefix, the first rule that fits', async () => {
    const rename = [
      { from: 'INPUT_FP32', to: 'f' },
      { from: 'INPUT', to: 'OUTPUT' },
    ];
    const names = (await answer({}, { rename })).outputs.map(({ name }) => name);
    expect(names).toContain('f');
    expect(names).toContain('OUTPUT_BYTES');
  });

  it('gives only the outputs that were asked for', async () => {
    const response = await answer({ outputs: [{ name: 'INPUT_BOOL' }] });
    expect(response.outputs.map(({ name }) => name)).toEqual(['INPUT_BOOL']);
  });

  it('refuses unknown datatypes in options', async () => {
    const unknown = answer({}, { input: { name: 'x', datatype: 'FLOAT', shape: 1 } });
    await expect(unknown).rejects.toThrow(/datatype/);
  });
});
