import { open, type FileHandle } from 'node:fs/promises';
import type { ConfigDataType } from './model-config.ts';

/** One input or output as an ONNX file says. */
export interface OnnxTensor {
  readonly name: string;
  /** Undefined: no tensor, or of a datatype that is not served. */
  readonly datatype: ConfigDataType | undefined;
  /** −1 where a dimension is any; undefined: the file does not say. */
  readonly shape: readonly number[] | undefined;
}

export interface OnnxSignature {
  readonly inputs: readonly OnnxTensor[];
  readonly outputs: readonly OnnxTensor[];
}

/** ONNX's `TensorProto.DataType` by number. */
const DATATYPES: Readonly<Record<number, ConfigDataType>> = {
  1: 'TYPE_FP32',
  2: 'TYPE_UINT8',
  3: 'TYPE_INT8',
  4: 'TYPE_UINT16',
  5: 'TYPE_INT16',
  6: 'TYPE_INT32',
  7: 'TYPE_INT64',
  8: 'TYPE_STRING',
  9: 'TYPE_BOOL',
  10: 'TYPE_FP16',
  11: 'TYPE_FP64',
  12: 'TYPE_UINT32',
  13: 'TYPE_UINT64',
  16: 'TYPE_BF16',
};

/**
 * The inputs and outputs that an ONNX file declares, read past its weights and nodes, which are skipped. Undefined where the
 * file cannot be read as ONNX: whoever loads it says better why.
 */
export async function readOnnxSignature(path: string): Promise<OnnxSignature | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { size } = await file.stat();
    return await readModel(new Fields(file, 0, size));
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

async function readModel(model: Fields): Promise<OnnxSignature | undefined> {
  for await (const field of model) if (field.number === 7) return readGraph(field.inside());
  return undefined;
}

async function readGraph(graph: Fields): Promise<OnnxSignature> {
  const inputs: OnnxTensor[] = [];
  const outputs: OnnxTensor[] = [];
  const initialized = new Set<string>();
  for await (const field of graph) {
    if (field.number === 11) inputs.push(await readValueInfo(field.inside()));
    else if (field.number === 12) outputs.push(await readValueInfo(field.inside()));
    else if (field.number === 5) initialized.add(await readName(field.inside(), 8));
  }
  // Older files list weights among the inputs; they need not be given.
  return { inputs: inputs.filter(({ name }) => !initialized.has(name)), outputs };
}

async function readName(message: Fields, number: number): Promise<string> {
  for await (const field of message) if (field.number === number) return field.text();
  return '';
}

async function readValueInfo(info: Fields): Promise<OnnxTensor> {
  let name = '';
  let datatype: ConfigDataType | undefined;
  let shape: number[] | undefined;
  for await (const field of info) {
    if (field.number === 1) name = await field.text();
    if (field.number !== 2) continue;
    for await (const type of field.inside()) {
      if (type.number !== 1) continue; // no tensor
      for await (const part of type.inside()) {
        if (part.number === 1) datatype = DATATYPES[part.value];
        else if (part.number === 2) shape = await readShape(part.inside());
      }
    }
  }
  return { name, datatype, shape };
}

async function readShape(message: Fields): Promise<number[]> {
  const dims: number[] = [];
  for await (const dim of message) {
    let size = -1;
    for await (const part of dim.inside()) if (part.number === 1) size = part.value;
    dims.push(size);
  }
  return dims;
}

interface Field {
  readonly number: number;
  /** Of a varint; 0 otherwise. */
  readonly value: number;
  inside(): Fields;
  text(): Promise<string>;
}

const WINDOW_BYTES = 64 * 1024;

/** The fields of one protobuf message in a file; what is not looked at is not read. */
class Fields implements AsyncIterable<Field> {
  readonly #file: FileHandle;
  readonly #end: number;
  #at: number;
  #window: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #windowAt = 0;

  constructor(
    file: FileHandle,
    from: number,
    end: number,
    window: Buffer<ArrayBufferLike> = Buffer.alloc(0),
    windowAt = 0,
  ) {
    this.#file = file;
    this.#at = from;
    this.#end = end;
    this.#window = window;
    this.#windowAt = windowAt;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Field> {
    while (this.#at < this.#end) {
      const tag = await this.#varint();
      const wire = tag & 7;
      const value = wire === 0 ? await this.#varint() : 0;
      const length = wire === 2 ? await this.#varint() : wire === 1 ? 8 : wire === 5 ? 4 : 0;
      if (wire > 5 || wire === 3 || wire === 4 || this.#at + length > this.#end) throw new Error('no protobuf');
      const from = this.#at;
      yield {
        number: tag >>> 3,
        value,
        inside: () => new Fields(this.#file, from, from + length, this.#window, this.#windowAt),
        text: async () => (await this.#bytes(from, length)).toString('utf8'),
      };
      this.#at = from + length;
    }
  }

  /** Exact up to 2^53; a negative one, as of a dimension, is −1. */
  async #varint(): Promise<number> {
    const bytes = await this.#bytes(this.#at, Math.min(10, this.#end - this.#at));
    let value = 0n;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] ?? 0;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte >= 0x80) continue;
      this.#at += i + 1;
      return value >= 2n ** 63n ? -1 : Number(value);
    }
    throw new Error('no protobuf');
  }

  async #bytes(from: number, length: number): Promise<Buffer<ArrayBufferLike>> {
    const isInside = from >= this.#windowAt && from + length <= this.#windowAt + this.#window.length;
    if (!isInside) {
      const window = Buffer.alloc(Math.max(length, Math.min(WINDOW_BYTES, this.#end - from)));
      const { bytesRead } = await this.#file.read(window, 0, window.length, from);
      this.#window = window.subarray(0, bytesRead);
      this.#windowAt = from;
      if (bytesRead < length) throw new Error('the file is cut short');
    }
    const start = from - this.#windowAt;
    return this.#window.subarray(start, start + length);
  }
}
