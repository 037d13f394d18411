import { expect, it } from 'vitest';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import { JsonParameter, Uint64, type Parameters } from '../tensor/parameters.ts';
import { callerOf } from './run-caller.ts';

const caller = (parameters?: Parameters, cancellation = new Cancellation()) =>
  callerOf({ servable: 'm', version: '', id: 'r', inputs: [], outputs: [], parameters }, cancellation);

it('priority and timeout come as any whole number', () => {
  expect(caller({ priority: new Uint64(2n), timeout: 1000n })).toMatchObject({ priority: 2, timeoutUs: 1000 });
  expect(caller({ priority: 1 })).toMatchObject({ requestId: 'r', priority: 1, timeoutUs: undefined });
  expect(caller()).toMatchObject({ requestId: 'r' });
});

it.each([-1, 0.5, -1n, 'high', true, new JsonParameter('{}')])('%s is refused', (priority) => {
  expect(() => caller({ priority })).toThrow(/^parameter 'priority': .* given, a whole number of at least 0 expected$/);
});

it('tells of a client that left', () => {
  const cancellation = new Cancellation();
  const signal = caller(undefined, cancellation).signal?.();
  cancellation.cancel(new MillraceError('CANCELLED', 'gone'));
  expect(signal?.aborted).toBe(true);
});
