import { expect, it } from 'vitest';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import { JsonParameter, Uint64, type Parameters, type ParameterValue } from '../tensor/parameters.ts';
import { callerOf } from './run-caller.ts';

const caller = (parameters?: Parameters, cancellation = new Cancellation()) =>
  callerOf({ servable: 'm', version: '', id: 'r', inputs: [], outputs: [], parameters }, cancellation);

it('priority and timeout come as any whole number', () => {
  expect(caller({ priority: new Uint64(2n), timeout: 1000n })).toMatchObject({ priority: 2, timeoutUs: 1000 });
  expect(caller({ priority: 1 })).toMatchObject({ requestId: 'r', priority: 1, timeoutUs: undefined });
  expect(caller()).toMatchObject({ requestId: 'r' });
});

it.each<[ParameterValue, string]>([
  [-1, "invalid value for 'priority', expected value >= 0. -1 was given"],
  [-1n, "invalid value for 'priority', expected value >= 0. -1 was given"],
  [0.5, "invalid value type for 'priority' parameter, expected int64_param or uint64_param. 0.5 was given"],
  ['high', `invalid value type for 'priority' parameter, expected int64_param or uint64_param. "high" was given`],
  [true, "invalid value type for 'priority' parameter, expected int64_param or uint64_param. true was given"],
  [new JsonParameter('{}'), "invalid value type for 'priority' parameter, expected int64_param or uint64_param."],
])('%s is refused', (priority, text) => {
  expect(() => caller({ priority })).toThrow(text);
});

it('tells of a client that left', () => {
  const cancellation = new Cancellation();
  const signal = caller(undefined, cancellation).signal?.();
  cancellation.cancel(new MillraceError('CANCELLED', 'gone'));
  expect(signal?.aborted).toBe(true);
});
