import { expect, test } from 'vitest';
import { oracle, type Plain } from '../../../test/support/protobuf-oracle.ts';
import { MillraceError } from '../../base/errors.ts';
import { encodeBytes } from '../../tensor/bytes.ts';
import { DATATYPE_BYTES, DATATYPES, type Datatype } from '../../tensor/datatype.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import { Uint64, type ParameterValue } from '../../tensor/parameters.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import {
  decodeInferRequest,
  decodeInferResponse,
  decodeStreamResponse,
  encodeInferRequest,
  encodeInferResponse,
  encodeStreamError,
  encodeStreamResponse,
  joinParts,
} from './infer-codec.ts';

const requestType = oracle('ModelInferRequest');
const responseType = oracle('ModelInferResponse');
const streamType = oracle('ModelStreamInferResponse');

/** Deterministic randomness (mulberry32), so that a failure comes back. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}
type Random = ReturnType<typeof randomFrom>;

const TEXTS = ['', 'in', 'größe', '名前', 'x'.repeat(200), 'image:0', '\u{1F600}'];
const INTEGERS = [0n, 1n, -1n, 127n, 128n, 2n ** 31n, -(2n ** 31n), 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
const pick = <T>(random: Random, from: readonly T[]): T => from[random(from.length)] as T;

function randomParameters(random: Random): Record<string, ParameterValue> | undefined {
  const parameters: Record<string, ParameterValue> = {};
  const count = random(4);
  for (let i = 0; i < count; i++) {
    parameters[pick(random, TEXTS) + i] = pick<ParameterValue>(random, [
      true,
      false,
      pick(random, INTEGERS),
      pick(random, TEXTS),
      random(1000) / 7,
      new Uint64(BigInt.asUintN(64, pick(random, INTEGERS))),
    ]);
  }
  return count === 0 ? undefined : parameters;
}

function randomTensor(random: Random, name: string): Tensor {
  const datatype = pick(random, DATATYPES);
  const shape = Array.from({ length: random(4) }, () => random(5));
  const count = shape.reduce((a, b) => a * b, 1);
  const data =
    datatype === 'BYTES'
      ? encodeBytes(Array.from({ length: count }, () => pick(random, TEXTS)))
      : Buffer.from(Array.from({ length: count * DATATYPE_BYTES[datatype] }, () => random(256)));
  return { name, datatype, shape, data, parameters: randomParameters(random) };
}

function randomRequest(random: Random): InferenceRequest {
  return {
    servable: pick(random, TEXTS),
    version: pick(random, TEXTS),
    id: pick(random, TEXTS),
    parameters: randomParameters(random),
    inputs: Array.from({ length: random(4) }, (_, i) => randomTensor(random, `${pick(random, TEXTS)}${i}`)),
    outputs: Array.from({ length: random(3) }, (_, i) => ({ name: `out${i}`, parameters: randomParameters(random) })),
  };
}

function plainParameters(parameters: Readonly<Record<string, ParameterValue>> | undefined): Plain {
  return Object.fromEntries<unknown>(
    Object.entries(parameters ?? {}).map(([key, value]): [string, unknown] => {
      if (typeof value === 'boolean') return [key, { bool_param: value }];
      if (typeof value === 'bigint') return [key, { int64_param: value.toString() }];
      if (typeof value === 'string') return [key, { string_param: value }];
      if (typeof value === 'number') return [key, { double_param: value }];
      if (value instanceof Uint64) return [key, { uint64_param: value.value.toString() }];
      throw new TypeError(`${key}: no protobuf form`);
    }),
  );
}

function plainTensor({ name, datatype, shape, parameters }: Tensor): Plain {
  return { name, datatype, shape: shape.map(String), parameters: plainParameters(parameters) };
}

function plainRequest(request: InferenceRequest): Plain {
  return {
    model_name: request.servable,
    model_version: request.version,
    id: request.id,
    parameters: plainParameters(request.parameters),
    inputs: request.inputs.map(plainTensor),
    outputs: request.outputs.map((o) => ({ name: o.name, parameters: plainParameters(o.parameters) })),
    raw_input_contents: request.inputs.map((t) => Buffer.from(t.data)),
  };
}

/** Values as both sides can be compared: prototypes and kinds of byte arrays aside. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof Uint64) return `u${value.value}`;
  if (typeof value === 'bigint') return `i${value}`;
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .map(([k, v]) => [k, comparable(v)]),
  );
}

test('random requests written by protobufjs read the same', () => {
  const random = randomFrom(1);
  for (let i = 0; i < 500; i++) {
    const request = randomRequest(random);
    expect(comparable(decodeInferRequest(requestType.encode(plainRequest(request))))).toEqual(comparable(request));
  }
});

test('random requests and responses that we write are read the same by protobufjs and by ourselves', () => {
  const random = randomFrom(2);
  for (let i = 0; i < 500; i++) {
    const request = randomRequest(random);
    const bytes = joinParts(encodeInferRequest(request));
    const seen = requestType.decode(bytes);
    expect(comparable(seen)).toEqual(comparable(requestType.decode(requestType.encode(plainRequest(request)))));
    expect(comparable(decodeInferRequest(bytes))).toEqual(comparable(request));

    const { inputs, outputs: _, ...rest } = request;
    const response = { ...rest, outputs: inputs };
    const responseBytes = joinParts(encodeInferResponse(response));
    expect(responseType.decode(responseBytes)['raw_output_contents']).toHaveLength(inputs.length);
    expect(comparable(decodeInferResponse(responseBytes))).toEqual(comparable(response));
    const streamed = joinParts(encodeStreamResponse(response));
    expect(comparable(streamType.decode(streamed)['infer_response'])).toEqual(
      comparable(responseType.decode(responseBytes)),
    );
    expect(comparable(decodeStreamResponse(streamed).response)).toEqual(comparable(response));
  }
});

test('large tensors go by reference and leave the reserved bytes in the first piece', () => {
  const data = new Uint8Array(100_000).fill(7);
  const response = {
    servable: 'm',
    version: '1',
    id: '',
    outputs: [
      { name: 'a', datatype: 'UINT8', shape: [100_000], data },
      { name: 'b', datatype: 'UINT8', shape: [2], data: Buffer.from([1, 2]) },
    ],
  } as const;
  const parts = encodeStreamResponse(response, 5);
  expect(parts[1]).toBe(data);
  const bytes = Buffer.concat(parts).subarray(5);
  expect(comparable(decodeStreamResponse(bytes).response)).toEqual(comparable(response));
});

test('an error message is never empty and carries the id', () => {
  expect(streamType.decode(joinParts(encodeStreamError('7', 'no such input')))).toMatchObject({
    error_message: 'no such input',
    infer_response: { id: '7', model_name: '' },
  });
  expect(decodeStreamResponse(joinParts(encodeStreamError('', ''))).errorMessage).not.toBe('');
});

test('truncated and flipped messages throw our error or decode, and never hang', () => {
  const random = randomFrom(3);
  for (let i = 0; i < 60; i++) {
    const bytes = joinParts(encodeInferRequest(randomRequest(random)));
    for (let cut = 0; cut < Math.min(bytes.length, 300); cut++) tolerate(bytes.subarray(0, cut));
    for (let n = 0; n < 100; n++) {
      const damaged = Buffer.from(bytes);
      if (damaged.length > 0) damaged[random(damaged.length)] = random(256);
      tolerate(damaged);
    }
  }
  for (let i = 0; i < 5000; i++) tolerate(Buffer.from(Array.from({ length: random(40) }, () => random(256))));
});

function tolerate(bytes: Buffer): void {
  try {
    decodeInferRequest(bytes);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
  }
}

test('unknown fields and groups are skipped', () => {
  const known = requestType.encode({ model_name: 'm' });
  const unknown = Buffer.from('9a0603616263a3060801a406', 'hex');
  expect(decodeInferRequest(Buffer.concat([unknown, known])).servable).toBe('m');
});

const TYPED: readonly [Datatype, Plain, Buffer][] = [
  ['BOOL', { bool_contents: [true, false] }, Buffer.from([1, 0])],
  ['INT8', { int_contents: [-128, 127] }, Buffer.from([0x80, 0x7f])],
  ['INT16', { int_contents: [-2, 300] }, Buffer.from(Int16Array.of(-2, 300).buffer)],
  ['INT32', { int_contents: [-(2 ** 31), 5] }, Buffer.from(Int32Array.of(-(2 ** 31), 5).buffer)],
  ['INT64', { int64_contents: ['-9223372036854775808', '5'] }, Buffer.from(BigInt64Array.of(-(2n ** 63n), 5n).buffer)],
  ['UINT8', { uint_contents: [0, 255] }, Buffer.from([0, 255])],
  ['UINT16', { uint_contents: [65535, 1] }, Buffer.from(Uint16Array.of(65535, 1).buffer)],
  ['UINT32', { uint_contents: [2 ** 32 - 1, 1] }, Buffer.from(Uint32Array.of(2 ** 32 - 1, 1).buffer)],
  [
    'UINT64',
    { uint64_contents: ['18446744073709551615', '1'] },
    Buffer.from(BigUint64Array.of(2n ** 64n - 1n, 1n).buffer),
  ],
  ['FP32', { fp32_contents: [1.5, -2] }, Buffer.from(Float32Array.of(1.5, -2).buffer)],
  ['FP64', { fp64_contents: [1.1, -2] }, Buffer.from(Float64Array.of(1.1, -2).buffer)],
  ['BYTES', { bytes_contents: [Buffer.from('ab'), Buffer.alloc(0)] }, encodeBytes(['ab', ''])],
];

test.each(TYPED)('typed contents of %s become raw', (datatype, contents, raw) => {
  const bytes = requestType.encode({ model_name: 'm', inputs: [{ name: 'x', datatype, shape: [2], contents }] });
  expect(Buffer.from(decodeInferRequest(bytes).inputs[0]?.data ?? [])).toEqual(raw);
});

test('unpacked typed contents and unpacked shapes are read too', () => {
  const contents = Buffer.from('350000c03f3500000040', 'hex');
  const input = Buffer.concat([
    Buffer.from('0a0178' + '120446503332' + '1802', 'hex'),
    Buffer.from([42, contents.length]),
    contents,
  ]);
  const request = decodeInferRequest(Buffer.concat([Buffer.from([42, input.length]), input]));
  expect(request.inputs[0]).toMatchObject({ shape: [2], datatype: 'FP32' });
  expect(new Float32Array(Uint8Array.from(request.inputs[0]?.data ?? []).buffer)).toEqual(Float32Array.of(1.5, 2));
});
