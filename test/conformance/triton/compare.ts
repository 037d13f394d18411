import { isDeepStrictEqual } from 'node:util';
import type { Answer, Comparison } from './case.ts';

const ERROR = '<error>';

/**
 * Where `ours` says something else than `theirs`, as a path into the answer; undefined where it says the same. Texts of
 * errors are for people and only their presence counts.
 */
export function difference(theirs: Answer, ours: Answer, comparison: Comparison): string | undefined {
  const [expected, actual] = [comparable(theirs, comparison), comparable(ours, comparison)];
  if (comparison === 'shape') return uncovered(actual, expected, 'answer');
  return isDeepStrictEqual(actual, expected) ? undefined : 'answer';
}

/** An answer with the texts of errors masked; what a failed test prints. */
export function comparable(answer: Answer, comparison: Comparison): unknown {
  if (comparison === 'counts') return withoutTimes(mask(answer));
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

/** Durations and times of day are there, whatever they are. */
function withoutTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimes);
  if (typeof value !== 'object' || value === null) return value;
  const isTime = (name: string): boolean => name === 'ns' || name === 'last_inference';
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, isTime(name) ? typeof item : withoutTimes(item)]),
  );
}

/**
 * The first place where `actual` lacks a key of `expected` or has another type there. Lists are compared by their first
 * items; a message that is not set is null.
 */
function uncovered(actual: unknown, expected: unknown, path: string): string | undefined {
  if (actual === null || expected === null) return undefined;
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return path;
    return expected.length === 0 || actual.length === 0 ? undefined : uncovered(actual[0], expected[0], `${path}[0]`);
  }
  if (typeof expected === 'object') {
    if (typeof actual !== 'object') return path;
    const fields = new Map(Object.entries(actual));
    for (const [name, item] of Object.entries(expected)) {
      const inside = fields.has(name) ? uncovered(fields.get(name), item, `${path}.${name}`) : `${path}.${name}`;
      if (inside !== undefined) return inside;
    }
    return undefined;
  }
  if (path === 'answer.status' || path === 'answer.code') return actual === expected ? undefined : path;
  // An empty body, as of Triton's health, says nothing: ours may say more.
  if (path === 'answer.type' || path === 'answer.body') return undefined;
  return typeof actual === typeof expected ? undefined : path;
}
