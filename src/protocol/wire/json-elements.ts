import type { MillraceError } from '../../base/errors.ts';
import { scanPlainNumbers, type Cursor, type NumberChunk } from './plain-numbers.ts';
import {
  endOfNumber,
  endOfString,
  MAX_JSON_DEPTH,
  readString,
  syntaxError,
  tooDeep,
  type JsonSlice,
} from './json-reader.ts';

/** What the numbers will become: exact doubles, FP32 (only that rounding need be right), or 64-bit integers. */
export type Precision = 'double' | 'single' | 'long';

/** What may come next in an array. */
const AFTER_OPEN = 0;
const AFTER_COMMA = 1;
const AFTER_VALUE = 2;

/**
 * Walks the elements of a JSON array, nested arrays flattened row-major, without making values of the array itself.
 * After `next()` one of `numbers`, `number`, `integer`, `boolean`, `string` or `skip` consumes the element.
 */
export class ElementScanner {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #precision: Precision;
  /** The last element, where it was a number beyond a double. */
  overflow: string | undefined;
  #at: number;
  #start = 0;
  #depth = 0;
  #state = AFTER_OPEN;
  readonly #cursor: Cursor = { at: 0 };

  constructor(bytes: Buffer, slice: JsonSlice, precision: Precision = 'double') {
    this.#bytes = bytes;
    this.#at = slice.start;
    this.#end = slice.end;
    this.#precision = precision;
    if (bytes[slice.start] !== 91) throw syntaxError(bytes, slice.start, slice.end, 'an array');
    this.#at++;
    this.#depth = 1;
  }

  /** Moves to the next element; false at the end of the array. */
  next(): boolean {
    const bytes = this.#bytes;
    for (;;) {
      const c = bytes[this.#at] ?? 0;
      if (c === 44 && this.#state === AFTER_VALUE) {
        this.#state = AFTER_COMMA;
        this.#at++;
      } else if (c === 32 || c === 10 || c === 13 || c === 9) {
        this.#at++;
      } else if (c === 93) {
        if (this.#state === AFTER_COMMA) throw this.#fail('a value');
        this.#at++;
        this.#state = AFTER_VALUE;
        if (--this.#depth === 0) return this.#finish();
      } else if (this.#state === AFTER_VALUE) {
        throw this.#fail("',' or ']'");
      } else if (c === 91) {
        if (++this.#depth > MAX_JSON_DEPTH) throw tooDeep();
        this.#at++;
        this.#state = AFTER_OPEN;
      } else {
        this.#state = AFTER_VALUE;
        this.#start = this.#at;
        return true;
      }
    }
  }

  isNumber(): boolean {
    const c = this.#bytes[this.#at] ?? 0;
    return (c >= 48 && c <= 57) || c === 45 || c === 78 || c === 73;
  }

  /**
   * Fills `chunk` from `from` on with the element at hand and those that follow it side by side; returns the new count. With
   * `precision` "long" it stops, having added nothing, at an element that only `integer()` reads exactly.
   */
  numbers(chunk: NumberChunk, from: number): number {
    const cursor = this.#cursor;
    cursor.at = this.#at;
    const count = scanPlainNumbers(this.#bytes, cursor, chunk, from, this.#precision === 'single' ? 17 : 15);
    this.#at = cursor.at;
    if (count > from || this.#precision === 'long') return count;
    chunk.values[from] = this.number();
    return from + 1;
  }

  /** The element as a double, correctly rounded; an infinity, and noted as `overflow`, where it is beyond one. */
  number(): number {
    const end = endOfNumber(this.#bytes, this.#at, this.#end);
    if (end === this.#at) throw this.#fail('a number');
    const text = this.#bytes.toString('latin1', this.#at, end);
    const value = Number(text);
    if (Math.abs(value) === Infinity && !text.endsWith('y')) this.overflow = text;
    this.#at = end;
    return value;
  }

  /** The element as an integer, exact; undefined if it is none, consumed then too. */
  integer(): bigint | undefined {
    const end = endOfNumber(this.#bytes, this.#at, this.#end);
    if (end === this.#at) throw this.#fail('a number');
    const text = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end;
    if (/^-?\d+$/.test(text)) return BigInt(text);
    const value = Number(text);
    return Number.isInteger(value) ? BigInt(value) : undefined;
  }

  /** Undefined, nothing consumed, if the element is neither `true` nor `false`. */
  boolean(): boolean | undefined {
    if (this.#take('true')) return true;
    if (this.#take('false')) return false;
    return undefined;
  }

  /** False, nothing consumed, if the element is not `null`. */
  takeNull(): boolean {
    return this.#take('null');
  }

  /**
   * Writes the element's text to `out` as UTF-8 and returns its bytes; undefined, nothing consumed, if it is no string. No
   * escape is shorter than what it stands for, so the room that the literal takes is enough.
   */
  copyString(out: Buffer, to: number): number | undefined {
    const bytes = this.#bytes;
    const start = this.#at;
    if (bytes[start] !== 34) return undefined;
    for (let at = start + 1; at - start < 48; at++) {
      const c = bytes[at] ?? 0;
      if (c === 34) {
        this.#at = at + 1;
        return at - start - 1;
      }
      if (c === 92 || c < 32) break;
      out[to + at - start - 1] = c;
    }
    const end = endOfString(bytes, start, this.#end);
    this.#at = end;
    return bytes.subarray(start, end).includes(92)
      ? out.write(readString(bytes, start, end), to)
      : bytes.copy(out, to, start + 1, end - 1);
  }

  /** Consumes an element of any kind. */
  skip(): void {
    if (this.#bytes[this.#at] === 34) {
      this.#at = endOfString(this.#bytes, this.#at, this.#end);
      return;
    }
    if (this.boolean() !== undefined || this.#take('null')) return;
    const end = endOfNumber(this.#bytes, this.#at, this.#end);
    if (end === this.#at) throw this.#fail('a value');
    this.#at = end;
  }

  /** The kind of the element, or its text if it is a number. */
  describe(): string {
    const c = this.#bytes[this.#start] ?? 0;
    if (c === 34) return 'a string';
    if (c === 123) return 'an object';
    const text = this.#bytes.toString('latin1', this.#start, Math.min(this.#end, this.#start + 40));
    const token = /^[-+.\w]+/.exec(text)?.[0];
    if (token === undefined) throw this.#fail('a value');
    return token;
  }

  #take(word: string): boolean {
    if (this.#bytes[this.#at] !== word.charCodeAt(0)) return false;
    if (this.#bytes.toString('latin1', this.#at, Math.min(this.#end, this.#at + word.length)) !== word) return false;
    this.#at += word.length;
    return true;
  }

  #finish(): false {
    if (this.#at !== this.#end) throw this.#fail('the end of the array');
    return false;
  }

  #fail(expected: string): MillraceError {
    return syntaxError(this.#bytes, this.#at, this.#end, expected);
  }
}
