import { MillraceError } from '../../base/errors.ts';
import { settledWithin } from '../../base/settled-within.ts';
import type { CalculatorContext, CalculatorDefinition, CalculatorInstance } from '../../graph/index.ts';

/**
 * A calculator none of whose calls may take longer than `ms`: what has not settled by then fails the run with
 * CALL_TIMED_OUT, so that the session ends and not for ever waits. Its late outcome is dropped. A call that does not even
 * return cannot be helped here: the supervisor ends the host that it keeps silent.
 * @param ms 0: no limit
 */
export function withCallDeadline(definition: CalculatorDefinition, ms: number): CalculatorDefinition {
  if (ms === 0) return definition;
  return {
    ...definition,
    open(context) {
      const opened = definition.open(context);
      if (!isPromise(opened)) return opened && bounded(opened, ms);
      const inTime = calledWithin(opened, ms, 'open');
      // What opens too late is closed again.
      inTime.catch(() => void opened.then((instance) => instance && instance.close?.(context)).catch(() => {}));
      return inTime.then((instance) => instance && bounded(instance, ms));
    },
  };
}

/**
 * What a call of a user's code settles to.
 * @param ms 0: no limit
 * @param what names the call in the message
 * @throws MillraceError CALL_TIMED_OUT when it has not within `ms`
 */
export function calledWithin<T>(call: Promise<T>, ms: number, what: string): Promise<T> {
  return settledWithin(
    call,
    ms,
    () => new MillraceError('CALL_TIMED_OUT', `${what} did not end within ${ms} ms (call_deadline_ms)`),
  );
}

function bounded(instance: CalculatorInstance, ms: number): CalculatorInstance {
  const limit = (call: 'process' | 'close', context: CalculatorContext): void | Promise<void> => {
    const result = instance[call]?.(context);
    return isPromise(result) ? calledWithin(result, ms, call) : result;
  };
  return {
    ...(instance.process === undefined ? {} : { process: (context) => limit('process', context) }),
    ...(instance.close === undefined ? {} : { close: (context) => limit('close', context) }),
  };
}

function isPromise<T>(result: T | Promise<T>): result is Promise<T> {
  return typeof result === 'object' && result !== null && typeof (result as Promise<T>).then === 'function';
}
