import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../base/errors.ts';
import type { Datatype } from '../../../tensor/datatype.ts';
import type { WarmupInput, WarmupSample } from '../../servable-spec.ts';
import type { ConfigFile } from './config-file.ts';
import { dataFile } from './data-file.ts';
import type { ModelConfig, Warmup } from './model-config.ts';
import { toDatatype } from './tensors.ts';

/**
 * Triton's `model_warmup`: requests with made-up data. Files are in the model's sub-folder `warmup`.
 * @throws Error naming the sample and its fault
 */
export async function readWarmup(
  { place }: ConfigFile,
  { model_warmup: samples, max_batch_size: maxBatchSize }: ModelConfig,
  folder: string,
): Promise<WarmupSample[]> {
  return Promise.all(
    samples.map(async (sample) => {
      const fail = (problem: string): never => {
        throw new Error(`${place('model_warmup')}: sample '${sample.name}': ${problem}`);
      };
      if (sample.batch_size > Math.max(1, maxBatchSize)) {
        fail(`batch size ${sample.batch_size} given, max allowed is ${Math.max(1, maxBatchSize)}`);
      }
      const batch = maxBatchSize > 0 ? [Math.max(1, sample.batch_size)] : [];
      const inputs = Object.entries(sample.inputs).map(([name, input]) => toInput(name, input, batch, folder, fail));
      for (const { data } of inputs) {
        if (typeof data === 'object' && !(await isFile(data.file)))
          fail(`input_data_file "${data.file}" does not exist`);
      }
      return { name: sample.name, count: Math.max(1, sample.count), inputs };
    }),
  );
}

function toInput(
  name: string,
  input: Warmup['inputs'][string],
  batch: readonly number[],
  folder: string,
  fail: (problem: string) => never,
): WarmupInput {
  const { data_type: datatype, dims, zero_data: zero, random_data: random, input_data_file: file } = input;
  if (datatype === 'TYPE_INVALID') fail(`input "${name}" must specify 'data_type'`);
  if (dims.some((dim) => dim < 0)) fail(`input "${name}": dims [${dims.join(',')}] given, sizes from 0 expected`);
  const base = { name, datatype: toDatatype(datatype) as Datatype, shape: [...batch, ...dims] };
  if (file !== undefined) {
    try {
      return { ...base, data: { file: dataFile(join(folder, 'warmup'), file) } };
    } catch (error) {
      fail(`input "${name}": input_data_file: ${messageOf(error)}`);
    }
  }
  if (random === true) return { ...base, data: 'random' };
  return zero === true
    ? { ...base, data: 'zero' }
    : fail(`input "${name}" must specify zero_data, random_data or input_data_file`);
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
