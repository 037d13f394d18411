import { MillraceError } from '../../base/errors.ts';
import type { SequenceStep } from '../../tensor/sequence.ts';
import { tensorOf, type Tensor } from '../../tensor/tensor.ts';
import type { SequenceControl } from './sequence-options.ts';

/** Integers that a correlation id may be. */
const ID_TYPES = [
  { datatype: 'INT32', largest: 2n ** 31n - 1n, of: (id: bigint) => Int32Array.of(Number(id)) },
  { datatype: 'UINT32', largest: 2n ** 32n - 1n, of: (id: bigint) => Uint32Array.of(Number(id)) },
  { datatype: 'INT64', largest: 2n ** 63n - 1n, of: (id: bigint) => BigInt64Array.of(id) },
  { datatype: 'UINT64', largest: 2n ** 64n - 1n, of: (id: bigint) => BigUint64Array.of(id) },
] as const;

/** What a flag may be. */
const FLAG_TYPES = [
  { datatype: 'INT32', of: (value: number) => Int32Array.of(value) },
  { datatype: 'FP32', of: (value: number) => Float32Array.of(value) },
  { datatype: 'BOOL', of: (value: number) => Uint8Array.of(value === 0 ? 0 : 1) },
] as const;

/** The tensors that tell a model where in which sequence each row is. */
export class ControlTensors {
  readonly #model: string;
  readonly #shape: readonly number[];
  readonly #flags: readonly { readonly kind: 'start' | 'ready' | 'end'; readonly no: Tensor; readonly yes: Tensor }[];
  readonly #ids: readonly SequenceControl[];
  /** Of a row that is in no sequence. */
  readonly none: readonly Tensor[];
  /** The model can tell that a row is in no sequence. */
  readonly hasReady: boolean;

  /** @throws MillraceError CONFIG_INVALID for a datatype that a control cannot have */
  constructor(model: string, controls: readonly SequenceControl[], hasBatch: boolean) {
    this.#model = model;
    this.#shape = hasBatch ? [1, 1] : [1];
    this.#flags = controls.flatMap((control) => {
      const { kind, falseTrue: [no, yes] = [0, 1] } = control;
      if (kind === 'correlation_id') return [];
      return [{ kind, no: flagTensor(control, no, this.#shape), yes: flagTensor(control, yes, this.#shape) }];
    });
    this.#ids = controls.filter(({ kind }) => kind === 'correlation_id');
    for (const { input, datatype } of this.#ids) {
      if (datatype === 'BYTES' || ID_TYPES.some((each) => each.datatype === datatype)) continue;
      const text = `control input "${input}": datatype ${datatype} given, INT32, UINT32, INT64, UINT64 or STRING expected of a correlation id`;
      throw new MillraceError('CONFIG_INVALID', text, { details: { tensor: input } });
    }
    const zero = this.#ids.map((control) => this.#idTensor(control, control.datatype === 'BYTES' ? '' : 0n));
    this.none = [...this.#flags.map(({ no }) => no), ...zero];
    this.hasReady = this.#flags.some(({ kind }) => kind === 'ready');
  }

  /** @throws MillraceError INVALID_PARAMETER for a correlation id that the model's control input cannot hold */
  of({ id, isStart, isEnd }: SequenceStep): Tensor[] {
    const is = { start: isStart, end: isEnd, ready: true };
    const flags = this.#flags.map(({ kind, no, yes }) => (is[kind] ? yes : no));
    return [...flags, ...this.#ids.map((control) => this.#idTensor(control, id ?? 0n))];
  }

  #idTensor({ input: name, datatype }: SequenceControl, id: bigint | string): Tensor {
    const ids = ID_TYPES.find((each) => each.datatype === datatype);
    const shape = this.#shape;
    if (ids === undefined) {
      if (typeof id === 'bigint') throw this.#wrongId(name, id, undefined);
      const text = Buffer.from(id);
      const data = Buffer.alloc(4 + text.length);
      data.writeUInt32LE(text.length);
      data.set(text, 4);
      return { name, datatype: 'BYTES', shape, data };
    }
    if (typeof id === 'string' || id > ids.largest) throw this.#wrongId(name, id, ids.largest);
    return tensorOf(name, ids.datatype, shape, ids.of(id));
  }

  #wrongId(tensor: string, id: bigint | string, limit: bigint | undefined): MillraceError {
    const given = typeof id === 'string' ? `the string "${id}"` : `the integer ${id}`;
    const expected = limit === undefined ? 'a string' : `an integer of at most ${limit}`;
    return new MillraceError(
      'INVALID_PARAMETER',
      `parameter 'sequence_id': ${given} given, ${expected} expected for control input '${tensor}' of model '${this.#model}'`,
      { details: { parameter: 'sequence_id', model: this.#model, tensor } },
    );
  }
}

function flagTensor({ input, datatype }: SequenceControl, value: number, shape: readonly number[]): Tensor {
  const flags = FLAG_TYPES.find((each) => each.datatype === datatype);
  if (flags !== undefined) return tensorOf(input, flags.datatype, shape, flags.of(value));
  const text = `control input "${input}": datatype ${datatype} given, INT32, FP32 or BOOL expected`;
  throw new MillraceError('CONFIG_INVALID', text, { details: { tensor: input } });
}
