import { GraphError, locatedMessage } from './graph-error.ts';

/** A scalar as written: an identifier (bool or enum), a number, or a string. */
export interface TextScalar {
  readonly kind: 'identifier' | 'number' | 'string';
  /** A string's decoded text; otherwise the source text. */
  readonly text: string;
}

export type TextValue = TextScalar | TextMessage;

export interface TextField {
  /** Plain name, or the bracketed one of an extension or Any without brackets and blanks. */
  readonly name: string;
  readonly bracketed: boolean;
  /** Given as one of a list: `name: [a, b]`. */
  readonly isListed?: boolean;
  readonly value: TextValue;
  readonly line: number;
}

/** A message of the protobuf text format: fields in order, repeated ones once per value, `[a, b]` spread. */
export interface TextMessage {
  readonly kind: 'message';
  readonly fields: readonly TextField[];
  readonly line: number;
}

const TOKEN =
  /[ \t\r\v\f]+|#[^\n]*|(?<newline>\n)|(?<identifier>[A-Za-z_][A-Za-z0-9_]*)|(?<number>(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?))|(?<string>"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*')|(?<symbol>[{}<>[\]:,;/.-])/y;

interface Token {
  readonly kind: 'identifier' | 'number' | 'string' | 'symbol' | 'end';
  readonly text: string;
  readonly line: number;
}

/** Reads protobuf text without knowing the message types. Throws a {@link GraphError} that begins with `file:line`. */
export function parseTextFormat(text: string, file?: string): TextMessage {
  return new Reader(new Lexer(text, file)).message('', 1);
}

function syntaxError(message: string, file: string | undefined, line: number): GraphError {
  return new GraphError('INVALID_ARGUMENT', locatedMessage(message, file, line), { file, line });
}

/** One token ahead of its reader: what is wrong in a file's first line costs no more than that line. */
class Lexer {
  readonly #text: string;
  readonly file: string | undefined;
  #line = 1;
  #at = 0;
  /** The token that is next. */
  token: Token;

  constructor(text: string, file: string | undefined) {
    this.#text = text;
    this.file = file;
    this.token = this.#next();
  }

  advance(): void {
    this.token = this.#next();
  }

  #next(): Token {
    while (this.#at < this.#text.length) {
      TOKEN.lastIndex = this.#at;
      const groups = TOKEN.exec(this.#text)?.groups;
      if (TOKEN.lastIndex === 0) {
        const character = this.#text[this.#at] ?? '';
        const message = `"'`.includes(character)
          ? `the string that begins with ${this.#text.slice(this.#at, this.#at + 20).split('\n')[0]} is not closed in its line`
          : `unexpected character ${JSON.stringify(character)}`;
        throw syntaxError(message, this.file, this.#line);
      }
      this.#at = TOKEN.lastIndex;
      if (groups?.['newline'] !== undefined) this.#line++;
      for (const kind of ['identifier', 'number', 'string', 'symbol'] as const) {
        const text = groups?.[kind];
        if (text !== undefined) return { kind, text, line: this.#line };
      }
    }
    return { kind: 'end', text: 'the end of the file', line: this.#line };
  }
}

/** Messages in messages; protobuf's own limit. */
const MAX_DEPTH = 100;

class Reader {
  readonly #lexer: Lexer;
  #depth = 0;

  constructor(lexer: Lexer) {
    this.#lexer = lexer;
  }

  /** Fields up to `close` (consumed), or to the end of the text when `close` is empty. */
  message(close: string, line: number): TextMessage {
    const fields: TextField[] = [];
    if (this.#depth++ > MAX_DEPTH) {
      throw syntaxError(`messages within messages, ${MAX_DEPTH} deep at most`, this.#lexer.file, line);
    }
    for (;;) {
      if (close === '' ? this.#peek().kind === 'end' : this.#take(close)) {
        this.#depth--;
        return { kind: 'message', fields, line };
      }
      if (this.#peek().kind === 'end') {
        throw this.#unexpected(`"${close}" for the message that begins in line ${line}`);
      }
      this.#field(fields);
    }
  }

  #field(fields: TextField[]): void {
    const { line } = this.#peek();
    const bracketed = this.#take('[');
    const name = bracketed ? this.#bracketedName() : this.#identifier();
    const colon = this.#take(':');
    if (this.#take('[')) {
      for (let isFirst = true; !this.#take(']'); isFirst = false) {
        if (!isFirst && !this.#take(',')) throw this.#unexpected('"," or "]"');
        // Without a colon it is a list of messages.
        if (!colon && !this.#isSymbol('{') && !this.#isSymbol('<')) throw this.#unexpected('"{"');
        fields.push({ name, bracketed, isListed: true, value: this.#value(), line });
      }
    } else {
      const isMessage = this.#isSymbol('{') || this.#isSymbol('<');
      if (!colon && !isMessage) throw this.#unexpected(`":" or "{" after "${name}"`);
      fields.push({ name, bracketed, value: this.#value(), line });
    }
    if (!this.#take(',')) this.#take(';');
  }

  #value(): TextValue {
    const { line } = this.#peek();
    if (this.#take('{')) return this.message('}', line);
    if (this.#take('<')) return this.message('>', line);
    const sign = this.#take('-') ? '-' : '';
    const token = this.#peek();
    if (token.kind !== 'symbol') this.#lexer.advance();
    if (token.kind === 'number') return { kind: 'number', text: sign + token.text };
    if (token.kind === 'identifier') {
      const special = /^(inf|infinity|nan)f?$/i.test(token.text);
      if (special || sign === '') return { kind: special ? 'number' : 'identifier', text: sign + token.text };
    }
    if (token.kind === 'string' && sign === '') {
      let text = unescape(token.text);
      for (; this.#peek().kind === 'string'; this.#lexer.advance()) text += unescape(this.#peek().text);
      return { kind: 'string', text };
    }
    throw this.#unexpected('a value', token);
  }

  #bracketedName(): string {
    let name = '';
    while (!this.#take(']')) {
      const token = this.#peek();
      if (token.kind !== 'identifier' && !'./-'.includes(token.text))
        throw this.#unexpected('the name of an extension');
      name += token.text;
      this.#lexer.advance();
    }
    return name;
  }

  #identifier(): string {
    const token = this.#peek();
    if (token.kind !== 'identifier') throw this.#unexpected('the name of a field');
    this.#lexer.advance();
    return token.text;
  }

  #peek(): Token {
    return this.#lexer.token;
  }

  #isSymbol(symbol: string): boolean {
    const token = this.#peek();
    return token.kind === 'symbol' && token.text === symbol;
  }

  #take(symbol: string): boolean {
    const taken = this.#isSymbol(symbol);
    if (taken) this.#lexer.advance();
    return taken;
  }

  #unexpected(expected: string, token = this.#peek()): GraphError {
    const found = token.kind === 'end' ? token.text : JSON.stringify(token.text);
    return syntaxError(`${expected} expected, ${found} found`, this.#lexer.file, token.line);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', f: '\f', v: '\v' };

/** A quoted string's text, C escapes resolved; bytes above ASCII that the escapes spell are read as UTF-8. */
function unescape(quoted: string): string {
  const body = quoted.slice(1, -1);
  if (!body.includes('\\')) return body;
  const parts: Buffer[] = [];
  const escape = /\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([^]))/g;
  let last = 0;
  for (const match of body.matchAll(escape)) {
    const [whole, octal, hex, short, long, single = ''] = match;
    parts.push(Buffer.from(body.slice(last, match.index)));
    last = match.index + whole.length;
    const byte = octal !== undefined ? parseInt(octal, 8) : hex !== undefined ? parseInt(hex, 16) : undefined;
    const codePoint = short ?? long;
    if (byte !== undefined) parts.push(Buffer.of(byte & 0xff));
    else if (codePoint !== undefined) parts.push(Buffer.from(String.fromCodePoint(parseInt(codePoint, 16))));
    else parts.push(Buffer.from(ESCAPES[single] ?? single));
  }
  parts.push(Buffer.from(body.slice(last)));
  return Buffer.concat(parts).toString('utf8');
}
