import type { ParameterValue, Parameters } from '../tensor/parameters.ts';
import { JsonParameter, Uint64 } from '../tensor/parameters.ts';

const SHORT_STRING = 24;

/**
 * Writes the head of a message: varints, strings, parameters. One writer is reused for all messages: what `finish` returns
 * is valid until the next `start`.
 */
export class HeadWriter {
  #buffer = Buffer.allocUnsafeSlow(16 * 1024);
  #at = 0;

  start(): this {
    this.#at = 0;
    return this;
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }

  byte(value: number): void {
    this.#room(1);
    this.#buffer[this.#at++] = value;
  }

  /** An integer from 0 to 2^53. */
  varint(value: number): void {
    this.#room(10);
    const buffer = this.#buffer;
    while (value >= 128) {
      buffer[this.#at++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    buffer[this.#at++] = value;
  }

  string(text: string): void {
    const length = text.length;
    if (length < SHORT_STRING && this.#ascii(text, length)) return;
    const bytes = Buffer.byteLength(text);
    this.varint(bytes);
    this.#room(bytes);
    this.#at += this.#buffer.write(text, this.#at, 'utf8');
  }

  parameters(parameters: Parameters | undefined): void {
    if (parameters === undefined) {
      this.byte(0);
      return;
    }
    const names = Object.keys(parameters);
    this.varint(names.length);
    for (const name of names) {
      this.string(name);
      this.#parameter(parameters[name] as ParameterValue);
    }
  }

  #parameter(value: ParameterValue): void {
    this.#room(9);
    if (typeof value === 'boolean') {
      this.byte(value ? 1 : 0);
    } else if (typeof value === 'bigint') {
      this.byte(2);
      this.#at = this.#buffer.writeBigInt64LE(value, this.#at);
    } else if (typeof value === 'string') {
      this.byte(3);
      this.string(value);
    } else if (typeof value === 'number') {
      this.byte(4);
      this.#at = this.#buffer.writeDoubleLE(value, this.#at);
    } else if ('text' in value) {
      this.byte(6);
      this.string(value.text);
    } else {
      this.byte(5);
      this.#at = this.#buffer.writeBigUInt64LE(value.value, this.#at);
    }
  }

  /** Short ASCII text byte by byte: cheaper than a call into the runtime. */
  #ascii(text: string, length: number): boolean {
    this.#room(length + 1);
    const start = this.#at;
    let at = start;
    this.#buffer[at++] = length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) return false;
      this.#buffer[at++] = code;
    }
    this.#at = at;
    return true;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(bigger, 0, 0, this.#at);
    this.#buffer = bigger;
  }
}

/** Reads what `HeadWriter` wrote. The two ends run the same version of the code, so a misread is a bug of ours. */
export class HeadReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #at: number;

  /** @param end of the head: padding and tensors follow it */
  constructor(buffer: Buffer, at: number, end = buffer.length) {
    this.#buffer = buffer;
    this.#at = at;
    this.#end = end;
  }

  /** Nothing is left to be read. */
  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  byte(): number {
    return this.#buffer[this.#at++] as number;
  }

  varint(): number {
    const buffer = this.#buffer;
    let byte = buffer[this.#at++] as number;
    if (byte < 128) return byte;
    let value = byte & 127;
    let scale = 128;
    do {
      byte = buffer[this.#at++] as number;
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte >= 128);
    return value;
  }

  string(): string {
    const length = this.varint();
    const start = this.#at;
    this.#at += length;
    if (length >= SHORT_STRING) return this.#buffer.toString('utf8', start, this.#at);
    let text = '';
    for (let i = start; i < this.#at; i++) {
      const code = this.#buffer[i] as number;
      if (code > 127) return this.#buffer.toString('utf8', start, this.#at);
      text += String.fromCharCode(code);
    }
    return text;
  }

  parameters(): Parameters | undefined {
    const count = this.varint();
    if (count === 0) return undefined;
    const parameters: Record<string, ParameterValue> = {};
    for (let i = 0; i < count; i++) {
      const name = this.string();
      Object.defineProperty(parameters, name, { value: this.#parameter(), enumerable: true });
    }
    return parameters;
  }

  #parameter(): ParameterValue {
    const kind = this.byte();
    if (kind < 2) return kind === 1;
    if (kind === 3) return this.string();
    if (kind === 6) return new JsonParameter(this.string());
    const at = this.#at;
    this.#at += 8;
    if (kind === 2) return this.#buffer.readBigInt64LE(at);
    if (kind === 4) return this.#buffer.readDoubleLE(at);
    return new Uint64(this.#buffer.readBigUInt64LE(at));
  }
}
