import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { JsonReader, parseJson, type JsonValue } from './json-reader.ts';

const parse = (text: string): JsonValue => parseJson(Buffer.from(text));

/** As `JSON.parse` would give it: integers as numbers, objects with a prototype. */
function plain(value: JsonValue): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** Deterministic, so that a failure can be repeated. */
function randomSource(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"a"',
  '"b\\n"',
  '"é"',
  '1',
  '-0',
  '0.5',
  '1e3',
  '01',
  '-',
  '.',
  'true',
  'null',
  ' ',
  '\n',
  '"\\ud83d\\ude00"',
  '"\\x"',
  'fals',
  '"',
];

function randomDocument(next: (below: number) => number, depth: number): unknown {
  switch (next(depth > 4 ? 5 : 7)) {
    case 0:
      return next(1000) - 500;
    case 1:
      return (next(1e6) - 5e5) / 7;
    case 2:
      return ['', 'a', 'ünï "quoted" \\ \n', '😀\u0000', '__proto__', 'x'.repeat(next(200))][next(6)];
    case 3:
      return [true, false, null][next(3)];
    case 4:
      return 10 ** (next(40) - 20);
    case 5:
      return Array.from({ length: next(5) }, () => randomDocument(next, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: next(5) }, (_, i) => [`k${i}"${next(9)}`, randomDocument(next, depth + 1)]),
      );
  }
}

describe('JsonReader', () => {
  it('reads what JSON.stringify writes, with and without whitespace', () => {
    const next = randomSource(1);
    for (let round = 0; round < 3000; round++) {
      const document = randomDocument(next, 0);
      const text = JSON.stringify(document, null, next(3));
      expect(plain(parse(text))).toEqual(JSON.parse(text));
    }
  });

  it('accepts and refuses what JSON.parse does, but for duplicate keys', () => {
    const next = randomSource(2);
    let accepted = 0;
    for (let round = 0; round < 20_000; round++) {
      const text = Array.from({ length: 1 + next(8) }, () => PIECES[next(PIECES.length)]).join('');
      let expected: unknown;
      let isValid = true;
      try {
        expected = JSON.parse(text);
      } catch {
        isValid = false;
      }
      try {
        const value = plain(parse(text));
        if (!isValid || !isDeepStrictEqual(value, expected))
          expect(value, text).toEqual(isValid ? expected : 'an error');
        accepted++;
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error;
        if (isValid) expect(error.message, text).toContain('appears twice');
      }
    }
    expect(accepted).toBeGreaterThan(300);
  });

  it('keeps integers exact and tells them from doubles', () => {
    expect(parse('[9007199254740993, -9223372036854775808, 1, 1.0, 1e2]')).toEqual([
      9007199254740993n,
      -9223372036854775808n,
      1n,
      1,
      100,
    ]);
  });

  it('accepts the tokens NaN, Infinity and -Infinity', () => {
    expect(parse('[NaN,Infinity,-Infinity]')).toEqual([NaN, Infinity, -Infinity]);
  });

  it('treats __proto__ as a key like any other', () => {
    const value = parse('{"__proto__":{"a":1}}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(value['a']).toBeUndefined();
  });

  it.each([
    ['{"a":1,"a":2}', 'key "a" appears twice'],
    [`{${Array.from({ length: 40 }, (_, i) => `"k${i}":1`).join(',')},"k3":1}`, 'key "k3" appears twice'],
    ['{"a":1', "',' or '}' expected at byte 6, got the end"],
    ['{"a" 1}', '\':\' expected at byte 5, got "1"'],
    ['[1,]', 'a value expected at byte 3, got "]"'],
    ['{a:1}', 'a key in double quotes expected at byte 1, got "a:1"'],
    ['[1] x', 'the end of the body expected at byte 4, got "x"'],
    ['', 'a value expected at byte 0, got the end'],
    ['"a\nb"', 'an escape for the control character in a string expected at byte 2'],
    ['"abc', 'at the end of a string expected at byte 4'],
    ['['.repeat(101) + ']'.repeat(101), 'exceeds maximum allowed limit (100)'],
  ])('refuses %s', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('accepts nesting of 100', () => {
    expect(() => parse('['.repeat(100) + ']'.repeat(100))).not.toThrow();
  });

  it('refuses more keys and elements than a request may have, but passes over any number of them', () => {
    const items = (count: number): Buffer => Buffer.from(`{"a":[${'{},'.repeat(count - 1)}{}]}`);
    expect(() => parseJson(items(131_071))).not.toThrow();
    expect(() => parseJson(items(131_072))).toThrow(
      expect.objectContaining({
        reason: 'REQUEST_TOO_LARGE',
        message: expect.stringContaining('more than 131072 keys') as string,
      }),
    );
    expect(() => parseJson(items(131_072), Infinity)).not.toThrow();
    const reader = new JsonReader(items(131_072));
    reader.object(() => reader.slice());
    reader.finish();
  });

  it('refuses strings that are not UTF-8', () => {
    expect(() => parseJson(Buffer.from([34, 0xff, 34]))).toThrow('not valid UTF-8');
  });

  it('reads long strings', () => {
    for (const text of [
      'x'.repeat(5000),
      'x'.repeat(60) + '\n' + 'y'.repeat(90),
      'é'.repeat(300),
      'x'.repeat(48) + '"',
    ]) {
      expect(parse(JSON.stringify([text, 'b']))).toEqual([text, 'b']);
    }
    expect(() => parse(`"${'x'.repeat(60)}\n"`)).toThrow('control character');
  });
});
