import { expect, test } from 'vitest';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { ResponseCache } from './response-cache.ts';

function request(text: string, more: Partial<InferenceRequest> = {}): InferenceRequest {
  const input = { name: 'i', datatype: 'UINT8', shape: [text.length], data: Buffer.from(text) } as const;
  return { servable: 'm', version: '', id: '', inputs: [input], outputs: [], ...more };
}

/** Answers with the number of the call, and counts. */
function counter() {
  const calls = { count: 0 };
  const answer = async (): Promise<InferenceResponse> => {
    const data = Buffer.from([++calls.count]);
    return {
      servable: 'm',
      version: '1',
      id: `call ${calls.count}`,
      outputs: [{ name: 'o', datatype: 'UINT8', shape: [1], data }],
    };
  };
  return { calls, answer };
}

const value = ({ outputs }: InferenceResponse) => outputs[0]?.data[0];

test('an equal request has the same answer, with its own id', async () => {
  const { calls, answer } = counter();
  const cache = new ResponseCache(10);
  const first = await cache.recall(1, request('a', { id: 'x' }), answer);
  // What was sent is memory that others use next.
  first.outputs.forEach(({ data }) => data.fill(99));
  const second = await cache.recall(1, request('a', { id: 'y' }), answer);
  expect(second).toMatchObject({ id: 'y', version: '1' });
  expect(value(second)).toBe(1);
  expect(calls.count).toBe(1);
});

test.each([
  ['data', 1, request('b')],
  ['a shape', 1, request('a', { inputs: request('a').inputs.map((input) => ({ ...input, shape: [1, 1] })) })],
  ['a parameter', 1, request('a', { parameters: { p: 1n } })],
  ['a header', 1, request('a', { headers: { authorization: 'z' } })],
  ['wanted outputs', 1, request('a', { outputs: [{ name: 'o' }] })],
  ['another generation of the model', 2, request('a')],
] as const)('%s of its own makes a request another one', async (_, generation, other) => {
  const { calls, answer } = counter();
  const cache = new ResponseCache(10);
  await cache.recall(1, request('a'), answer);
  await cache.recall(generation, other, answer);
  expect(calls.count).toBe(2);
});

test.each([
  [Number.NaN, Number.POSITIVE_INFINITY],
  [5n, '5n'],
  [1, 1n],
])('parameters %s and %s are two', async (one, other) => {
  const { calls, answer } = counter();
  const cache = new ResponseCache(10);
  for (const p of [one, other, one]) await cache.recall(1, request('a', { parameters: { p } }), answer);
  expect(calls.count).toBe(2);
});

test('the oldest gives way, by number and by bytes; failures are not remembered', async () => {
  for (const cache of [new ResponseCache(2), new ResponseCache(10, 2 * 1025)]) {
    const { calls, answer } = counter();
    for (const text of ['a', 'b', 'c']) await cache.recall(1, request(text), answer);
    await cache.recall(1, request('b'), answer);
    expect(calls.count).toBe(3);
    await cache.recall(1, request('a'), answer);
    expect(calls.count).toBe(4);
    await expect(cache.recall(1, request('d'), () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await cache.recall(1, request('d'), answer);
    expect(calls.count).toBe(5);
  }
});
