/** Where a text stops being JSON, and what should stand there. */
export interface JsonFault {
  readonly offset: number;
  readonly expected: string;
}

/** `JSON.parse` does not always say where a text is wrong; this finds it. Undefined where the text is JSON. */
export function findJsonFault(text: string): JsonFault | undefined {
  const scanner = new Scanner(text);
  try {
    scanner.value('a value');
    scanner.end();
    return undefined;
  } catch (fault) {
    if (fault instanceof Fault) return { offset: fault.offset, expected: fault.expected };
    throw fault;
  }
}

class Fault extends Error {
  readonly offset: number;
  readonly expected: string;
  constructor(offset: number, expected: string) {
    super(expected);
    this.offset = offset;
    this.expected = expected;
  }
}

const SPACE = /[ \t\n\r]*/y;
// oxlint-disable-next-line no-control-regex -- JSON forbids exactly these
const STRING = /"(?:[^"\\\u0000-\u001F]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** A recursive descent over JSON's grammar that throws a `Fault` at the first character that does not fit. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(expected: string): void {
    this.#skip(SPACE);
    if (this.#take('{')) this.#items('}', () => this.#member());
    else if (this.#take('[')) this.#items(']', () => this.value('a value'));
    else if (this.#text[this.#at] === '"') this.#string();
    else if (!this.#skip(SCALAR)) throw new Fault(this.#at, expected);
  }

  end(): void {
    this.#skip(SPACE);
    if (this.#at < this.#text.length) throw new Fault(this.#at, 'the end of the file');
  }

  #items(close: '}' | ']', item: () => void): void {
    this.#skip(SPACE);
    if (this.#take(close)) return;
    do {
      item();
      this.#skip(SPACE);
    } while (this.#take(','));
    if (!this.#take(close)) throw new Fault(this.#at, `"," or "${close}"`);
  }

  #member(): void {
    this.#skip(SPACE);
    if (this.#text[this.#at] !== '"') throw new Fault(this.#at, 'a key in double quotes');
    this.#string();
    this.#skip(SPACE);
    if (!this.#take(':')) throw new Fault(this.#at, '":"');
    this.value('a value');
  }

  #string(): void {
    if (!this.#skip(STRING)) {
      throw new Fault(this.#at, 'a text closed by a double quote on its line, with no escapes but those of JSON,');
    }
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  /** Moves past `pattern` (sticky); false where it matches nothing. */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.#text)?.[0].length ?? 0;
    this.#at += length;
    return length > 0;
  }
}
