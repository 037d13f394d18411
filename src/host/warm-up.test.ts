import { expect, test } from 'vitest';
import { ScratchFolder } from '../../test/support/scratch-folder.ts';
import { MillraceError } from '../base/errors.ts';
import { expectedBytes, typedData } from '../tensor/tensor.ts';
import { DATATYPES } from '../tensor/datatype.ts';
import { modelSpec } from '../../test/support/specs.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import type { WarmupInput } from './host-spec.ts';
import type { HostServable } from './servable.ts';
import { warmUp } from './warm-up.ts';

/** Keeps what it was asked, and fails where `fault` is given. */
function servable(fault?: MillraceError): { servable: HostServable; requests: InferenceRequest[] } {
  const requests: InferenceRequest[] = [];
  const infer = (request: InferenceRequest) => {
    requests.push(request);
    return fault === undefined
      ? Promise.resolve({ servable: 'm', version: '1', id: '', outputs: [] })
      : Promise.reject(fault);
  };
  const description = { platform: '', decoupled: false, inputs: [], outputs: [] };
  const open = (): never => expect.unreachable();
  return { servable: { description, infer, open, close: () => Promise.resolve() }, requests };
}

const input = (data: WarmupInput['data'], datatype: WarmupInput['datatype'] = 'FP32'): WarmupInput => ({
  name: 'A',
  datatype,
  shape: [2, 3],
  data,
});

const sample = (inputs: readonly WarmupInput[], count = 1) =>
  modelSpec('m', { warmup: [{ name: 's', count, inputs }] });

test('each sample runs as often as it says', async () => {
  const { servable: model, requests } = servable();
  await warmUp(model, sample([input('zero')], 3));
  expect(requests.map(({ servable: name, version, id }) => [name, version, id])).toEqual(
    Array(3).fill(['m', '1', 's']),
  );
  expect(requests[0]?.inputs).toEqual([{ name: 'A', datatype: 'FP32', shape: [2, 3], data: new Uint8Array(24) }]);
});

test.each([
  ['INT64', 1n],
  ['BYTES', 'warm-up'],
] as const)('each request to a model with sequences is one, with an id of %s', async (datatype, id) => {
  const { servable: model, requests } = servable();
  const sequenceBatching = {
    maxIdleUs: 0,
    controls: [{ input: 'ID', kind: 'correlation_id', datatype, falseTrue: undefined }],
    strategy: { kind: 'direct', maxQueueDelayUs: 0, minSlotUtilization: 0 },
    states: [],
  } as const;
  await warmUp(model, { ...sample([input('zero')]), sequenceBatching });
  expect(requests[0]?.parameters).toEqual({ sequence_id: id, sequence_start: true, sequence_end: true });
});

test.each(DATATYPES)('random and zero %s fill the tensor, and no number is NaN', async (datatype) => {
  const { servable: model, requests } = servable();
  await warmUp(model, sample([input('random', datatype), input('zero', datatype)]));
  const [random, zero] = requests[0]?.inputs ?? [];
  if (random === undefined || zero === undefined) expect.unreachable();
  if (datatype === 'BYTES') {
    expect(random.data.byteLength).toBe(6 * 12);
    expect(zero.data).toEqual(new Uint8Array(6 * 4));
    return;
  }
  expect(random.data.byteLength).toBe(expectedBytes(datatype, [2, 3]));
  expect(Array.from(typedData(random), Number).every((value) => !Number.isNaN(value))).toBe(true);
  expect(zero.data.every((byte) => byte === 0)).toBe(true);
});

test('a file for one of a batch is repeated; one that does not fit is told', async () => {
  await using folder = await ScratchFolder.create();
  const { servable: model, requests } = servable();
  await warmUp(model, sample([input({ file: await folder.put('row', 'abcdefghijkl') })]));
  expect(Buffer.from(requests[0]?.inputs[0]?.data ?? []).toString()).toBe('abcdefghijkl'.repeat(2));
  await expect(warmUp(model, sample([input({ file: await folder.put('odd', 'abcde') })]))).rejects.toThrow(
    /failed to run warmup sample 's': input_data_file ".*odd": 5 bytes given, 24 or a whole part of them expected/,
  );
});

test("a failure has the servable's reason and Triton's text", async () => {
  const { servable: model } = servable(new MillraceError('WRONG_SHAPE', 'too wide'));
  await expect(warmUp(model, sample([input('zero')]))).rejects.toMatchObject({
    reason: 'WRONG_SHAPE',
    message: "failed to run warmup sample 's': too wide",
  });
});
