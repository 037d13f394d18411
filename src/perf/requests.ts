import { randomBytes } from 'node:crypto';
import type { ClientRequest } from '../client/request.ts';
import { tensorFromJson, type JsonTensor } from '../client/json-tensors.ts';
import { encodeBytes } from '../tensor/bytes.ts';
import { DATATYPE_BYTES, isDatatype, type Datatype } from '../tensor/datatype.ts';
import type { Parameters } from '../tensor/parameters.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';

/** An input as the server describes it; −1 is a dimension of any size. */
export interface InputMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export interface InputOptions {
  /** Of inputs whose shape is not fixed, or to be another one. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** What inputs hold where no data is given. */
  readonly fill: 'zero' | 'random';
  /** Text for every element of a BYTES input; undefined: random letters, `stringLength` of them. */
  readonly text: string | undefined;
  readonly stringLength: number;
}

/**
 * The inputs of one request, made up.
 * @throws RangeError that names the input whose shape must be given
 */
export function madeUpInputs(metadata: readonly InputMetadata[], options: InputOptions): Tensor[] {
  const unknown = [...options.shapes.keys()].find((name) => metadata.every((input) => input.name !== name));
  if (unknown !== undefined) {
    const names = metadata.map(({ name }) => name).join(', ');
    throw new RangeError(`--shape: the model has no input "${unknown}"; it has ${names}`);
  }
  return metadata.map(({ name, datatype, shape: described }) => {
    const shape = options.shapes.get(name) ?? described;
    if (!isDatatype(datatype)) {
      throw new RangeError(`input "${name}" has no datatype of its own (${datatype}); give its data with --input-data`);
    }
    if (shape.some((dim) => dim < 0)) {
      throw new RangeError(
        `input "${name}" has shape [${shape.join(',')}]: say --shape ${name}:${shape.map(() => 'N').join(',')}`,
      );
    }
    return { name, datatype, shape, data: madeUpData(datatype, elementCount(shape), options) };
  });
}

function madeUpData(datatype: Datatype, count: number, { fill, text, stringLength }: InputOptions): Buffer {
  if (datatype === 'BYTES') {
    return encodeBytes(Array.from({ length: count }, () => text ?? (fill === 'zero' ? '' : letters(stringLength))));
  }
  const size = DATATYPE_BYTES[datatype];
  if (fill === 'zero') return Buffer.alloc(count * size);
  const random = randomBytes(count * size);
  if (datatype === 'BOOL') return random.map((byte) => byte & 1) as Buffer;
  // From 0 to 1: no NaN, no infinity, which models and JSON take badly.
  if (datatype === 'FP32') return Buffer.from(Float32Array.from({ length: count }, Math.random).buffer);
  if (datatype === 'FP64') return Buffer.from(Float64Array.from({ length: count }, Math.random).buffer);
  if (datatype === 'FP16' || datatype === 'BF16') for (let at = 1; at < random.length; at += 2) random[at] = 0x38;
  return random;
}

function letters(length: number): string {
  return Array.from(randomBytes(length), (byte) => String.fromCharCode(97 + (byte % 26))).join('');
}

/**
 * Requests of a perf_analyzer data file: `{"data": [{"INPUT": [values…] | {"content": [values…], "shape": […]}}, …]}`,
 * each entry (or each step of an entry that is a list) a request.
 * @throws RangeError that says where the file is wrong
 */
export function requestsOfFile(
  file: unknown,
  metadata: readonly InputMetadata[],
  shapes: InputOptions['shapes'],
): Tensor[][] {
  const entries = (file as { data?: unknown } | null)?.data;
  if (!Array.isArray(entries) || entries.length === 0) throw new RangeError('"data": a list of requests expected');
  return entries.flat().map((entry: unknown, at) =>
    Object.entries(asRecord(entry, `data[${at}]`)).map(([name, value]) => {
      const input = metadata.find((candidate) => candidate.name === name);
      if (input === undefined) {
        throw new RangeError(
          `data[${at}]: the model has no input "${name}"; it has ${metadata.map((each) => each.name).join(', ')}`,
        );
      }
      const { content, shape } = Array.isArray(value)
        ? { content: value as unknown[], shape: undefined }
        : asRecord(value, `data[${at}]."${name}"`);
      if (!Array.isArray(content))
        throw new RangeError(`data[${at}]."${name}": a list of values, or "content" expected`);
      const given = (Array.isArray(shape) ? shape : (shapes.get(name) ?? input.shape)) as number[];
      const dims = fittedShape({ name, shape: given }, content.flat(Infinity).length);
      return tensorFromJson({ name, datatype: input.datatype, shape: dims, data: content } as JsonTensor);
    }),
  );
}

/**
 * The shape of so many values: the last open dimension takes what the others leave.
 * @throws RangeError where they do not fit
 */
export function fittedShape({ name, shape }: Pick<InputMetadata, 'name' | 'shape'>, count: number): number[] {
  const known = elementCount(shape.filter((dim) => dim >= 0));
  const open = shape.findLastIndex((dim) => dim < 0);
  const rest = count / known;
  if (!Number.isInteger(rest) || (open < 0 && rest !== 1)) {
    throw new RangeError(`input "${name}": ${count} values given, shape [${shape.join(',')}] expected`);
  }
  return shape.map((dim, i) => (dim >= 0 ? dim : i === open ? rest : 1));
}

function asRecord(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new RangeError(`${where}: an object expected`);
  return value as Record<string, unknown>;
}

export interface SequenceOptions {
  /** Requests in each sequence. */
  readonly length: number;
  /** The first correlation id. */
  readonly firstId: number;
}

/** Hands out requests in turn, each with an id of its own; with sequences each worker is in one at a time. */
export class RequestSource {
  readonly #requests: readonly ClientRequest[];
  readonly #sequences: SequenceOptions | undefined;
  readonly #steps = new Map<number, { id: number; step: number }>();
  #next = 0;
  #sequenceCount = 0;

  /** @param requests at least one */
  constructor(requests: readonly ClientRequest[], sequences: SequenceOptions | undefined) {
    this.#requests = requests;
    this.#sequences = sequences;
  }

  next(worker: number): ClientRequest {
    return this.#request(this.#sequences === undefined ? undefined : this.#step(worker, this.#sequences));
  }

  /** The last requests of the sequences that workers are in, by worker: the next ones begin anew. */
  endings(): readonly (readonly [worker: number, request: ClientRequest])[] {
    const steps = [...this.#steps];
    this.#steps.clear();
    return steps.map(([worker, { id }]) => {
      const parameters = { sequence_id: BigInt(id), sequence_start: false, sequence_end: true };
      return [worker, this.#request(parameters)];
    });
  }

  #request(sequence: Parameters | undefined): ClientRequest {
    const at = this.#next++;
    const request = this.#requests[at % this.#requests.length] as ClientRequest;
    return { ...request, id: String(at), parameters: { ...request.parameters, ...sequence } };
  }

  #step(worker: number, { length, firstId }: SequenceOptions): Parameters {
    const before = this.#steps.get(worker);
    const current = before === undefined ? { id: firstId + this.#sequenceCount++, step: 0 } : before;
    if (current.step === length - 1) this.#steps.delete(worker);
    else this.#steps.set(worker, { id: current.id, step: current.step + 1 });
    return {
      sequence_id: BigInt(current.id),
      sequence_start: current.step === 0,
      sequence_end: current.step === length - 1,
    };
  }
}
