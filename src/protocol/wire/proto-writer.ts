const TWO_32 = 4_294_967_296;

/** Bytes of a varint of a non-negative safe integer. */
export function varintSize(value: number): number {
  if (value < 128) return 1;
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Bytes of an int64 field's varint: 10 for negative ones. */
export function int64Size(value: number): number {
  return value < 0 ? 10 : varintSize(value);
}

/** Bytes of a string in UTF-8. */
export function textSize(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text);
  return text.length;
}

/** Bytes of a length-delimited field with a one-byte tag, and of its content. */
export function fieldSize(contentSize: number): number {
  return 1 + varintSize(contentSize) + contentSize;
}

/** Bytes of a string field with a one-byte tag; proto3 leaves an empty one out. */
export function stringFieldSize(text: string): number {
  return text === '' ? 0 : fieldSize(textSize(text));
}

/** Writes protobuf wire format into a buffer of the right size, which the caller has computed with the functions above. */
export class ProtoWriter {
  readonly buffer: Buffer;
  pos: number;

  constructor(buffer: Buffer, pos: number) {
    this.buffer = buffer;
    this.pos = pos;
  }

  byte(value: number): void {
    this.buffer[this.pos++] = value;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.buffer[this.pos++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.pos++] = rest;
  }

  int64(value: number): void {
    if (value >= 0) this.varint(value);
    else this.#varint64(value >>> 0, Math.floor(value / TWO_32) >>> 0);
  }

  /** An int64 or uint64; wraps at 64 bits. */
  big64(value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    this.#varint64(Number(bits & 0xffff_ffffn), Number(bits >> 32n));
  }

  double(value: number): void {
    this.pos = this.buffer.writeDoubleLE(value, this.pos);
  }

  /** Tag and length of a length-delimited field. */
  open(tag: number, contentSize: number): void {
    this.byte(tag);
    this.varint(contentSize);
  }

  /** A string field; nothing for an empty one. */
  stringField(tag: number, text: string): void {
    if (text === '') return;
    this.textField(tag, text);
  }

  /** A string field, also when empty. */
  textField(tag: number, text: string): void {
    const size = textSize(text);
    this.open(tag, size);
    if (size === text.length && size < 24) {
      for (let i = 0; i < size; i++) this.buffer[this.pos++] = text.charCodeAt(i);
    } else {
      this.pos += this.buffer.write(text, this.pos, 'utf8');
    }
  }

  raw(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.pos);
    this.pos += bytes.byteLength;
  }

  #varint64(low: number, high: number): void {
    let l = low;
    let h = high;
    while (h !== 0 || l > 127) {
      this.buffer[this.pos++] = (l & 127) | 128;
      l = ((l >>> 7) | (h << 25)) >>> 0;
      h >>>= 7;
    }
    this.buffer[this.pos++] = l;
  }
}

/** Bytes of the varint of a 64-bit value. */
export function big64Size(value: bigint): number {
  let rest = BigInt.asUintN(64, value) >> 7n;
  let size = 1;
  for (; rest !== 0n; rest >>= 7n) size++;
  return size;
}
