import { isDeepStrictEqual } from 'node:util';
import type { Answer } from './exchange.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Keys whose texts are for people: only their presence counts. */
const FOR_PEOPLE = ['error', 'detail', 'msg'];

/** Whether the answers say the same. */
export function isSame(theirs: Answer, ours: Answer): boolean {
  return isDeepStrictEqual(comparable(ours), comparable(theirs));
}

/** An answer with made-up ids and the texts of faults masked, and without what MLServer repeats in every event. */
export function comparable(answer: Answer): unknown {
  if ('status' in answer) return mask(answer);
  return withoutEmpty(mask({ ...answer, text: answer.text === '' ? '' : '<text>' }));
}

function mask(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    if (UUID.test(value)) return '<uuid>';
    return value !== '' && FOR_PEOPLE.includes(key) ? '<text>' : value;
  }
  if (Array.isArray(value)) return maskList(value);
  if (typeof value !== 'object' || value === null) return value;
  // Where the JSON is broken depends on the parser.
  if ('type' in value && value.type === 'json_invalid') return value.type;
  const entries = Object.entries(value).filter(([name]) => name !== 'ctx');
  const masked = entries.map(([name, item]) => [name, mask(withoutEvents(item), name)] as const);
  return Object.fromEntries(masked.filter(isThere));
}

/** A repository's index is in no order. */
function maskList(items: readonly unknown[]): unknown {
  const masked = items.map((item) => mask(item));
  const isIndex = masked.every((item) => typeof item === 'object' && item !== null && 'state' in item);
  return isIndex ? masked.map((item) => JSON.stringify(withoutEmpty(item))).sort() : masked;
}

/** `parameters` without CloudEvents headers; undefined where they were all. */
function withoutEvents(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('headers' in value)) return value;
  const { headers, ...rest } = value;
  if (typeof headers !== 'object' || headers === null || !('Ce-Specversion' in headers)) return value;
  return Object.keys(rest).length === 0 ? undefined : rest;
}

function isThere([, value]: readonly [string, unknown]): boolean {
  return value !== undefined;
}

/** Protobuf does not tell what is empty from what is absent. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [name, withoutEmpty(item)] as const);
  return Object.fromEntries(entries.filter(([, item]) => !isEmpty(item)));
}

function isEmpty(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}
