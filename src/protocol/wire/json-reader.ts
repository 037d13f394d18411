import { isUtf8 } from 'node:buffer';
import { MillraceError } from '../../base/errors.ts';

/** Integer tokens are bigints whatever their size, so that int64 is exact and `1` differs from `1.0`. */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject;
/** Without a prototype: `__proto__` is a key like any other. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** Where a value stands in the body. */
export interface JsonSlice {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export const MAX_JSON_DEPTH = 100;
/** Keys and elements of one request, those of tensors' data aside: each may be three bytes there and an object of many here. */
const MAX_ENTRIES = 131_072;
/** No number that a request can use is longer. */
const MAX_NUMBER_LENGTH = 1100;
const MANY_KEYS = 16;

const QUOTE = 34;
const BACKSLASH = 92;

/**
 * Reads JSON from bytes in one pass, piece by piece, so that envelopes need no tree and large `data` arrays can be skipped
 * and read straight into typed arrays. Stricter than `JSON.parse`: duplicate keys, nesting beyond 100 and invalid UTF-8
 * are refused, and more keys and elements than `maxEntries`. Wider: `NaN`, `Infinity` and `-Infinity` are numbers, as Triton's and Python's writers print them.
 * Every fault is a `MALFORMED_REQUEST` that says where, what was expected and what came.
 */
export class JsonReader {
  readonly bytes: Buffer;
  readonly #end: number;
  readonly #maxEntries: number;
  #at: number;
  #depth = 0;
  #entries = 0;

  /** @param maxEntries keys and elements of arrays that may be read, all together; those that `slice` passes over do not count */
  constructor(bytes: Buffer, start = 0, end = bytes.length, maxEntries = MAX_ENTRIES) {
    this.bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#maxEntries = maxEntries;
  }

  /** The first byte of the next token, whitespace skipped; −1 at the end. */
  peek(): number {
    const { bytes } = this;
    let at = this.#at;
    while (at < this.#end) {
      const c = bytes[at] ?? -1;
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) {
        this.#at = at;
        return c;
      }
      at++;
    }
    this.#at = at;
    return -1;
  }

  /** Reads an object; `onKey` must consume the value. */
  object(onKey: (key: string) => void): void {
    this.#open(123, "'{'");
    if (this.peek() === 125) return this.#close();
    const keys = new KeySet();
    for (;;) {
      this.#count();
      if (this.peek() !== QUOTE) this.fail('a key in double quotes');
      const key = this.string();
      if (!keys.add(key)) throw malformed(`key ${JSON.stringify(key)} appears twice in one object`);
      if (this.peek() !== 58) this.fail("':'");
      this.#at++;
      onKey(key);
      const c = this.peek();
      if (c === 125) return this.#close();
      if (c !== 44) this.fail("',' or '}'");
      this.#at++;
    }
  }

  /** Reads an array; `onItem` must consume the element. */
  array(onItem: (index: number) => void): void {
    this.#open(91, "'['");
    if (this.peek() === 93) return this.#close();
    for (let index = 0; ; index++) {
      this.#count();
      onItem(index);
      const c = this.peek();
      if (c === 93) return this.#close();
      if (c !== 44) this.fail("',' or ']'");
      this.#at++;
    }
  }

  string(): string {
    if (this.peek() !== QUOTE) this.fail('a string');
    const start = this.#at;
    this.#at = endOfString(this.bytes, start, this.#end);
    return readString(this.bytes, start, this.#at);
  }

  value(): JsonValue {
    switch (this.peek()) {
      case 123: {
        const object = Object.create(null) as JsonObject;
        this.object((key) => {
          object[key] = this.value();
        });
        return object;
      }
      case 91: {
        const items: JsonValue[] = [];
        this.array(() => items.push(this.value()));
        return items;
      }
      case QUOTE:
        return this.string();
      case 116:
        return this.#word('true', true);
      case 102:
        return this.#word('false', false);
      case 110:
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  /**
   * Passes over a value and says where it stands. Only brackets and strings are looked at: whoever reads the slice checks
   * the rest.
   */
  slice(): JsonSlice {
    const first = this.peek();
    const start = this.#at;
    if (first !== 91 && first !== 123) this.value();
    else if (!this.#skipFlat()) this.#skipNested();
    return { start, end: this.#at };
  }

  /** Refuses anything but whitespace after the value. */
  finish(): void {
    if (this.peek() !== -1) this.fail('the end of the body');
  }

  fail(expected: string): never {
    throw syntaxError(this.bytes, this.#at, this.#end, expected);
  }

  #count(): void {
    if (++this.#entries > this.#maxEntries) throw tooMany(this.#maxEntries);
  }

  #open(byte: number, name: string): void {
    if (this.peek() !== byte) this.fail(name);
    if (++this.#depth > MAX_JSON_DEPTH) throw tooDeep();
    this.#at++;
  }

  #close(): void {
    this.#depth--;
    this.#at++;
  }

  #word<T>(word: string, value: T): T {
    if (this.bytes.toString('latin1', this.#at, Math.min(this.#end, this.#at + word.length)) !== word)
      this.fail('a value');
    this.#at += word.length;
    return value;
  }

  #number(): number | bigint {
    const start = this.#at;
    const end = endOfNumber(this.bytes, start, this.#end);
    if (end === start) this.fail('a value');
    this.#at = end;
    const text = this.bytes.toString('latin1', start, end);
    if (!isInteger(text)) return Number(text);
    if (text === '-0') return -0;
    return text.length < 16 ? BigInt(Number(text)) : BigInt(text);
  }

  /** Passes over an array of numbers with native searches; false where it is anything else. */
  #skipFlat(): boolean {
    const { bytes } = this;
    const start = this.#at;
    const c = bytes[start + 1] ?? 0;
    if (((c < 48 || c > 57) && c !== 45) || bytes[start] !== 91) return false;
    const close = bytes.indexOf(93, start);
    if (close < 0 || close >= this.#end) return false;
    const quote = bytes.indexOf(QUOTE, start);
    if (quote >= 0 && quote < close) return false;
    const open = bytes.indexOf(91, start + 1);
    if (open >= 0 && open < close) return false;
    this.#at = close + 1;
    return true;
  }

  #skipNested(): void {
    const { bytes } = this;
    const start = this.#at;
    let depth = 0;
    for (let at = start; at < this.#end; at++) {
      const c = bytes[at];
      if (c === QUOTE) at = endOfString(bytes, at, this.#end) - 1;
      else if (c === 91 || c === 123) {
        if (++depth > MAX_JSON_DEPTH) throw tooDeep();
      } else if ((c === 93 || c === 125) && --depth === 0) {
        this.#at = at + 1;
        return;
      }
    }
    this.#at = this.#end;
    this.fail("']'");
  }
}

/** The keys seen in one object; a `Set` only pays for itself when they are many. */
class KeySet {
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  /** False if it was there. */
  add(key: string): boolean {
    if (this.#many !== undefined) {
      if (this.#many.has(key)) return false;
      this.#many.add(key);
      return true;
    }
    if (this.#few.includes(key)) return false;
    this.#few.push(key);
    if (this.#few.length > MANY_KEYS) this.#many = new Set(this.#few);
    return true;
  }
}

/** Reads a whole body; see `JsonReader` for what is refused. */
export function parseJson(bytes: Buffer, maxEntries = MAX_ENTRIES): JsonValue {
  const reader = new JsonReader(bytes, 0, bytes.length, maxEntries);
  const value = reader.value();
  reader.finish();
  return value;
}

/** Just past the closing quote of the string that starts at `start`. */
export function endOfString(bytes: Buffer, start: number, end: number): number {
  for (let at = start + 1; at < end; at++) {
    const c = bytes[at] ?? 0;
    if (c === QUOTE) return at + 1;
    if (c === BACKSLASH) at++;
    else if (c < 32) throw syntaxError(bytes, at, end, 'an escape for the control character in a string');
    else if (at - start === 48) at = skipPlain(bytes, at, end);
  }
  throw syntaxError(bytes, end, end, "'\"' at the end of a string");
}

/** Long strings (base64 images) go by native search; returns an index before the next quote, backslash or control byte. */
function skipPlain(bytes: Buffer, from: number, end: number): number {
  const quote = bytes.indexOf(QUOTE, from);
  if (quote < 0 || quote >= end) return from;
  const view = bytes.toString('latin1', from, quote);
  // eslint-disable-next-line no-control-regex
  const special = /[\\\u0000-\u001f]/.exec(view);
  return (special === null ? quote : from + special.index) - 1;
}

/** The text of the string literal from `start` to `end`, quotes included. */
export function readString(bytes: Buffer, start: number, end: number): string {
  let plain = true;
  for (let at = start + 1; at < end - 1; at++) {
    const c = bytes[at] ?? 0;
    if (c === BACKSLASH || c >= 128) {
      plain = false;
      break;
    }
  }
  if (plain) return bytes.toString('latin1', start + 1, end - 1);
  if (!isUtf8(bytes.subarray(start, end))) {
    throw malformed(`the string at byte ${start} is not valid UTF-8; send such bytes with the binary extension`);
  }
  const text = bytes.toString('utf8', start, end);
  try {
    return JSON.parse(text) as string;
  } catch {
    throw syntaxError(bytes, start, end, 'a string with valid escapes');
  }
}

/** Just past the number token at `start` (JSON's grammar, `NaN`, `Infinity`, `-Infinity`); `start` if there is none. */
export function endOfNumber(bytes: Buffer, start: number, end: number): number {
  let at = start;
  if (bytes[at] === 45) at++;
  if (at >= end) return start;
  const first = bytes[at];
  if (first === 73 && bytes.toString('latin1', at, Math.min(end, at + 8)) === 'Infinity') return at + 8;
  if (first === 78 && at === start && bytes.toString('latin1', at, Math.min(end, at + 3)) === 'NaN') return at + 3;
  const digits = skipDigits(bytes, at, end);
  if (digits === at || (first === 48 && digits > at + 1)) return start;
  at = digits;
  if (at < end && bytes[at] === 46) {
    const fraction = skipDigits(bytes, at + 1, end);
    if (fraction === at + 1) return start;
    at = fraction;
  }
  if (at < end && (bytes[at] === 101 || bytes[at] === 69)) {
    let exponent = at + 1;
    if (bytes[exponent] === 43 || bytes[exponent] === 45) exponent++;
    at = skipDigits(bytes, exponent, end);
    if (at === exponent) return start;
  }
  return at - start > MAX_NUMBER_LENGTH ? start : at;
}

function skipDigits(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const c = bytes[at] ?? 0;
    if (c < 48 || c > 57) break;
    at++;
  }
  return at;
}

function isInteger(token: string): boolean {
  for (let i = 0; i < token.length; i++) {
    const c = token.charCodeAt(i);
    if ((c < 48 || c > 57) && c !== 45) return false;
  }
  return true;
}

/** What stands at `at`, for people. */
function describe(bytes: Buffer, at: number, end: number): string {
  if (at >= end) return 'the end';
  const text = bytes.toString('utf8', at, Math.min(end, at + 16)).split(/[\s,\]}]/, 1)[0] ?? '';
  return JSON.stringify(text === '' ? bytes.toString('latin1', at, at + 1) : text);
}

/** A `MALFORMED_REQUEST` about the byte at `at`. */
export function syntaxError(bytes: Buffer, at: number, end: number, expected: string): MillraceError {
  return new MillraceError(
    'MALFORMED_REQUEST',
    `failed to parse the request JSON buffer: ${expected} expected at byte ${at}, got ${describe(bytes, at, end)}`,
    { details: { position: at, expected } },
  );
}

export function tooDeep(): MillraceError {
  return malformed(`nesting exceeds maximum allowed limit (${MAX_JSON_DEPTH})`);
}

function tooMany(limit: number): MillraceError {
  const text = `more than ${limit} keys and elements of arrays in one body, tensor data aside`;
  return new MillraceError('REQUEST_TOO_LARGE', text, { details: { expected: limit } });
}

function malformed(problem: string): MillraceError {
  return new MillraceError('MALFORMED_REQUEST', `failed to parse the request JSON buffer: ${problem}`);
}
