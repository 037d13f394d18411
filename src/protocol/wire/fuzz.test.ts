import { expect, test } from 'vitest';
import { GENERATE_SEEDS, JSON_SEEDS, protobufSeeds } from '../../../test/support/fuzz-seeds.ts';
import { fuzzCases, fuzzSeed, mutated, mutatedJson, Random } from '../../../test/support/mutations.ts';
import { MillraceError } from '../../base/errors.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import type { TensorSpec } from '../../tensor/tensor.ts';
import { decodeGenerateRequest } from './generate-json.ts';
import { decodeInferRequest, encodeInferRequest, joinParts } from './infer-codec.ts';
import { decodeInferenceRequest } from './json-request.ts';

const ref = { servable: 'm', version: '' };
const specs: readonly TensorSpec[] = [
  { name: 'TEXT', datatype: 'BYTES', shape: [1] },
  { name: 'MORE', datatype: 'FP32', shape: [-1], optional: true },
];

/** Runs `decode`; what it throws must be a fault of the request. @returns whether it was read */
function isRead(decode: () => unknown, bytes: Buffer): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (error instanceof MillraceError && error.reason !== 'INTERNAL') return false;
    throw new Error(`a body was not refused but broke the codec: ${bytes.toString('hex').slice(0, 2000)}`, {
      cause: error,
    });
  }
}

/** Some of each must be read and some refused, or the mutations are too gentle or too wild to find anything. */
function fuzz(make: (random: Random) => Buffer, decode: (bytes: Buffer) => unknown): void {
  const random = new Random(fuzzSeed());
  const cases = fuzzCases(4000);
  let read = 0;
  for (let left = cases; left > 0; left--) {
    const bytes = make(random);
    if (isRead(() => decode(bytes), bytes)) read++;
  }
  expect(read).toBeGreaterThan(cases * 0.02);
  expect(read).toBeLessThan(cases * 0.98);
}

const seeds = protobufSeeds();

test.each(['triton', 'ovms', 'mlserver'] as const)('malformed protobuf is refused by the %s dialect', (dialect) => {
  fuzz(
    (random) => mutated(seeds, random),
    (bytes) => decodeInferRequest(bytes, dialect),
  );
});

test('what is read of mutated protobuf is written and read the same', () => {
  const random = new Random(fuzzSeed());
  for (let left = fuzzCases(4000); left > 0; left--) {
    const bytes = mutated(seeds, random);
    let request;
    try {
      request = decodeInferRequest(bytes, 'triton');
    } catch {
      continue;
    }
    if ([...request.inputs, ...request.outputs].some(({ shared }) => shared !== undefined)) continue;
    expect(plain(decodeInferRequest(joinParts(encodeInferRequest(request)), 'triton'))).toEqual(plain(request));
  }
});

/** Views of memory as the bytes that they show. */
function plain(request: InferenceRequest): object {
  return { ...request, inputs: request.inputs.map((input) => ({ ...input, data: [...input.data] })) };
}

test('malformed JSON is refused', () => {
  fuzz(
    (random) => mutatedJson(JSON_SEEDS, random),
    (bytes) => decodeInferenceRequest(bytes, undefined, ref, () => specs),
  );
});

test('malformed JSON with tensors behind it is refused', () => {
  const json = '{"inputs":[{"name":"INPUT","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}';
  let headerLength = 0;
  fuzz(
    (random) => {
      const head = mutatedJson([json], random);
      const tail = Buffer.alloc(random.of([0, 7, 8, 8, 8, 9]));
      headerLength = random.of([0, head.length - 1, head.length, head.length, head.length, head.length + tail.length]);
      return Buffer.concat([head, tail]);
    },
    (bytes) => decodeInferenceRequest(bytes, Math.max(0, headerLength), ref, () => specs),
  );
});

test('malformed JSON of generate is refused', () => {
  fuzz(
    (random) => mutatedJson(GENERATE_SEEDS, random),
    (bytes) => decodeGenerateRequest(bytes, ref, specs),
  );
});
