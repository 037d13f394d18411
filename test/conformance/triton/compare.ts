import { isDeepStrictEqual } from 'node:util';
import type { Answer, Comparison } from './case.ts';

const ERROR = '<error>';

/**
 * Whether `ours` says what `theirs` says. Texts of errors are for people and only their presence counts; so does nothing
 * that changes from run to run.
 */
export function sameAnswer(theirs: Answer, ours: Answer, comparison: Comparison): boolean {
  const [expected, actual] = [comparable(theirs), comparable(ours)];
  return comparison === 'values' ? isDeepStrictEqual(actual, expected) : covers(actual, expected);
}

/** An answer with the texts of errors masked; what a failed test prints. */
export function comparable(answer: Answer): unknown {
  // grpc-js loses a status text that ends in a space, as some of Triton's do.
  if (!('status' in answer)) return mask({ ...answer, text: '' });
  const masked = mask(answer);
  // Only a reply that succeeds has a content type worth comparing.
  return answer.status === 200 ? masked : { status: answer.status, body: hasError(answer.body) ? ERROR : 'no error' };
}

function hasError(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'error' in body && body.error !== '';
}

function mask(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    return value !== '' && (key === 'error' || key === 'error_message') ? ERROR : value;
  }
  if (Array.isArray(value)) return value.map((item) => mask(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, mask(item, name)]));
}

/** Whether `actual` has every key of `expected` with a value of the same type; lists are compared by their first items. */
function covers(actual: unknown, expected: unknown, key = ''): boolean {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return false;
    return expected.length === 0 || actual.length === 0 || covers(actual[0], expected[0]);
  }
  if (typeof expected === 'object' && expected !== null) {
    if (typeof actual !== 'object' || actual === null) return false;
    const fields = new Map(Object.entries(actual));
    return Object.entries(expected).every(([name, item]) => fields.has(name) && covers(fields.get(name), item, name));
  }
  if (key === 'status' || key === 'code') return actual === expected;
  // An empty body says nothing: ours may say more.
  return key === 'type' || key === 'body' || expected === null || typeof actual === typeof expected;
}
