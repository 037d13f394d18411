import { MillraceError } from '../../base/errors.ts';
import { endOfNumber, endOfString, MAX_JSON_DEPTH, syntaxError, tooDeep, type JsonSlice } from './json-reader.ts';

const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/** What may come next in an array. */
const AFTER_OPEN = 0;
const AFTER_COMMA = 1;
const AFTER_VALUE = 2;

/**
 * Walks the elements of a JSON array, nested arrays flattened row-major, without making values of the array itself.
 * After `next()` one of `number`, `integer`, `boolean`, `string` or `skip` consumes the element.
 */
export class ElementScanner {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #single: boolean;
  #at: number;
  #start = 0;
  #depth = 0;
  #state = AFTER_OPEN;
  /** Of the string read last. */
  hasEscapes = false;
  readonly #double = new Float64Array(1);
  readonly #bits = new Uint32Array(this.#double.buffer);

  /** @param single values will be rounded to FP32, so only that rounding need be right */
  constructor(bytes: Buffer, slice: JsonSlice, single: boolean) {
    this.#bytes = bytes;
    this.#at = slice.start;
    this.#end = slice.end;
    this.#single = single;
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
   * The element as a double: correctly rounded, or, when it will become an FP32, near enough for that rounding to be right.
   * Most numbers need a few multiplications; the rest go through `Number`.
   */
  number(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    let c = bytes[at] ?? 0;
    const negative = c === 45;
    if (negative) c = bytes[++at] ?? 0;
    let mantissa = 0;
    let digits = 0;
    let exponent = 0;
    const first = at;
    while (c >= 48 && c <= 57) {
      mantissa = mantissa * 10 + c - 48;
      if (mantissa > 0) digits++;
      c = at + 1 < end ? (bytes[++at] ?? 0) : 0;
    }
    if (at === first || (at > first + 1 && bytes[first] === 48)) return this.#slowNumber();
    if (c === 46) {
      const point = at;
      c = bytes[++at] ?? 0;
      while (c >= 48 && c <= 57) {
        if (digits < 17) {
          mantissa = mantissa * 10 + c - 48;
          if (mantissa > 0) digits++;
          exponent--;
        }
        c = bytes[++at] ?? 0;
      }
      if (at === point + 1) return this.#slowNumber();
      if (at - point > 40) return this.#slowNumber();
    }
    if (c === 101 || c === 69 || exponent < -22 || digits > (this.#single ? 17 : 15)) return this.#slowNumber();
    const value = exponent === 0 ? mantissa : mantissa / (POWERS_OF_TEN[-exponent] ?? 1);
    if (digits > 15 && this.#isNearSingleTie(value)) return this.#slowNumber();
    this.#at = at;
    return negative ? -value : value;
  }

  /** The element as an integer, exact; a bigint from 16 digits on. Undefined if it is no integer; it is consumed then too. */
  integer(): number | bigint | undefined {
    const end = endOfNumber(this.#bytes, this.#at, this.#end);
    if (end === this.#at) throw this.#fail('a number');
    const text = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end;
    const value = Number(text);
    if (!Number.isInteger(value)) return undefined;
    if (Number.isSafeInteger(value)) return /^-?\d{1,15}$/.test(text) || /[.eE]/.test(text) ? value : BigInt(text);
    return /[.eE]/.test(text) ? BigInt(value) : BigInt(text);
  }

  /** Undefined, nothing consumed, if the element is neither `true` nor `false`. */
  boolean(): boolean | undefined {
    if (this.#take('true')) return true;
    if (this.#take('false')) return false;
    return undefined;
  }

  /** Where the string literal stands, quotes included; undefined, nothing consumed, if the element is no string. */
  string(): JsonSlice | undefined {
    if (this.#bytes[this.#at] !== 34) return undefined;
    const start = this.#at;
    const end = endOfString(this.#bytes, start, this.#end);
    this.#at = end;
    this.hasEscapes = hasBackslash(this.#bytes, start, end);
    return { start, end };
  }

  /** Consumes an element of any kind. */
  skip(): void {
    if (this.string() !== undefined || this.boolean() !== undefined || this.#take('null')) return;
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

  #slowNumber(): number {
    const end = endOfNumber(this.#bytes, this.#at, this.#end);
    if (end === this.#at) throw this.#fail('a number');
    const text = this.#bytes.toString('latin1', this.#at, end);
    const value = Number(text);
    if (Math.abs(value) === Infinity && !text.endsWith('y')) {
      throw new MillraceError('WRONG_DATATYPE', `number ${text.slice(0, 40)} at byte ${this.#at} is out of range`);
    }
    this.#at = end;
    return value;
  }

  /** Whether an error of a few units in the double's last place could change its rounding to FP32. */
  #isNearSingleTie(value: number): boolean {
    this.#double[0] = value;
    const low = (this.#bits[0] ?? 0) & 0x1fffffff;
    return (low > 0x0fffffe0 && low < 0x10000020) || value < 1.2e-38;
  }

  #finish(): false {
    if (this.#at !== this.#end) throw this.#fail('the end of the array');
    return false;
  }

  #fail(expected: string): MillraceError {
    return syntaxError(this.#bytes, this.#at, this.#end, expected);
  }
}

function hasBackslash(bytes: Buffer, start: number, end: number): boolean {
  if (end - start > 64) return bytes.subarray(start, end).includes(92);
  for (let at = start; at < end; at++) if (bytes[at] === 92) return true;
  return false;
}
