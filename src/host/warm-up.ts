import { randomFillSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Cancellation } from '../base/cancellation.ts';
import { messageOf, MillraceError } from '../base/errors.ts';
import { DATATYPE_BYTES, type Datatype } from '../tensor/datatype.ts';
import type { SequenceOptions } from '../runtime/sequences/sequence-options.ts';
import type { Parameters } from '../tensor/parameters.ts';
import { elementCount, tensorOf, type Tensor } from '../tensor/tensor.ts';
import type { HostSpec, WarmupInput, WarmupSample } from './host-spec.ts';
import type { HostServable } from './servable.ts';

/** Length of each element of random BYTES. */
const RANDOM_TEXT_BYTES = 8;

/**
 * Runs made-up requests, one after another, before a servable is ready (Triton's `model_warmup`).
 * @throws MillraceError with Triton's text for the first that fails
 */
export async function warmUp(servable: HostServable, spec: HostSpec): Promise<void> {
  const { name, version, warmup = [] } = spec;
  const inSequence = spec.kind === 'model' && spec.sequenceBatching !== undefined;
  const parameters = inSequence ? sequenceOfOne(spec.sequenceBatching) : undefined;
  for (const sample of warmup) {
    try {
      const inputs = await Promise.all(sample.inputs.map(tensor));
      for (let run = 0; run < sample.count; run++) {
        const request = { servable: name, version, id: sample.name, parameters, inputs, outputs: [] };
        await servable.infer(request, new Cancellation());
      }
    } catch (error) {
      throw failed(sample, error);
    }
  }
}

/** Each request is a sequence by itself. */
function sequenceOfOne({ controls }: SequenceOptions): Parameters {
  const isText = controls.some(({ kind, datatype }) => kind === 'correlation_id' && datatype === 'BYTES');
  return { sequence_id: isText ? 'warm-up' : 1n, sequence_start: true, sequence_end: true };
}

function failed({ name }: WarmupSample, error: unknown): MillraceError {
  const { reason } = MillraceError.from(error);
  return new MillraceError(
    reason === 'INTERNAL' ? 'MODEL_FAILED' : reason,
    `failed to run warmup sample '${name}': ${messageOf(error)}`,
    { cause: error },
  );
}

async function tensor({ name, datatype, shape, data }: WarmupInput): Promise<Tensor> {
  if (typeof data === 'object') return { name, datatype, shape, data: await fromFile(data.file, datatype, shape) };
  const count = elementCount(shape);
  return { name, datatype, shape, data: data === 'zero' ? zeros(datatype, count) : random(datatype, count) };
}

/** What the file holds, again and again until the tensor is full: the file is for one element of a batch, or for the whole. */
async function fromFile(file: string, datatype: Datatype, shape: readonly number[]): Promise<Uint8Array> {
  const content = await readFile(file);
  if (datatype === 'BYTES') return content;
  const bytes = elementCount(shape) * DATATYPE_BYTES[datatype];
  if (content.length === 0 || bytes % content.length !== 0) {
    throw new MillraceError(
      'WRONG_BYTE_SIZE',
      `input_data_file "${file}": ${content.length} bytes given, ${bytes} or a whole part of them expected`,
    );
  }
  return Buffer.concat(Array.from({ length: bytes / content.length }, () => content));
}

function zeros(datatype: Datatype, count: number): Uint8Array {
  return new Uint8Array(count * (datatype === 'BYTES' ? 4 : DATATYPE_BYTES[datatype]));
}

/** Whole numbers of any size; floats from 0 to 1, so that none is NaN; texts of eight letters. */
function random(datatype: Datatype, count: number): Uint8Array {
  if (datatype === 'FP32') return floats(datatype, Float32Array.from({ length: count }, Math.random));
  if (datatype === 'FP64') return floats(datatype, Float64Array.from({ length: count }, Math.random));
  if (datatype === 'BYTES') return texts(count);
  const bytes = randomFillSync(new Uint8Array(count * DATATYPE_BYTES[datatype]));
  if (datatype === 'BOOL') return bytes.map((byte) => byte & 1);
  // The sign and the exponent's highest bit off: 0 to 2.
  if (datatype === 'FP16' || datatype === 'BF16') return bytes.map((byte, i) => (i % 2 === 0 ? byte : byte & 0x3f));
  return bytes;
}

function floats(datatype: 'FP32' | 'FP64', values: Float32Array | Float64Array): Uint8Array {
  return tensorOf('', datatype, [values.length], values).data;
}

function texts(count: number): Uint8Array {
  const data = Buffer.alloc(count * (4 + RANDOM_TEXT_BYTES));
  for (let at = 0; at < data.length; at += 4 + RANDOM_TEXT_BYTES) {
    data.writeUInt32LE(RANDOM_TEXT_BYTES, at);
    for (let i = 0; i < RANDOM_TEXT_BYTES; i++) data[at + 4 + i] = 97 + Math.floor(Math.random() * 26);
  }
  return data;
}
