import { MillraceError } from '../../base/errors.ts';
import type { Datatype } from '../../tensor/datatype.ts';
import type { SequenceStep } from '../../tensor/sequence.ts';
import { tensorOf, type Tensor } from '../../tensor/tensor.ts';
import type { SequenceControl } from './sequence-options.ts';

/** Largest value of each datatype that a correlation id may have. */
const ID_LIMITS: Partial<Record<Datatype | 'INVALID', bigint>> = {
  INT32: 2n ** 31n - 1n,
  UINT32: 2n ** 32n - 1n,
  INT64: 2n ** 63n - 1n,
  UINT64: 2n ** 64n - 1n,
};

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
      if (datatype === 'BYTES' || ID_LIMITS[datatype] !== undefined) continue;
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
    const limit = ID_LIMITS[datatype];
    if (limit === undefined ? typeof id === 'bigint' : typeof id === 'string' || id > limit) {
      throw this.#wrongId(name, id, limit);
    }
    const shape = this.#shape;
    if (typeof id === 'string') {
      const text = Buffer.from(id);
      const data = Buffer.alloc(4 + text.length);
      data.writeUInt32LE(text.length);
      data.set(text, 4);
      return { name, datatype: 'BYTES', shape, data };
    }
    switch (datatype) {
      case 'INT32':
        return tensorOf(name, datatype, shape, Int32Array.of(Number(id)));
      case 'UINT32':
        return tensorOf(name, datatype, shape, Uint32Array.of(Number(id)));
      case 'INT64':
        return tensorOf(name, datatype, shape, BigInt64Array.of(id));
      default:
        return tensorOf(name, 'UINT64', shape, BigUint64Array.of(id));
    }
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
  switch (datatype) {
    case 'INT32':
      return tensorOf(input, datatype, shape, Int32Array.of(value));
    case 'FP32':
      return tensorOf(input, datatype, shape, Float32Array.of(value));
    case 'BOOL':
      return tensorOf(input, datatype, shape, Uint8Array.of(value === 0 ? 0 : 1));
    default: {
      const text = `control input "${input}": datatype ${datatype} given, INT32, FP32 or BOOL expected`;
      throw new MillraceError('CONFIG_INVALID', text, { details: { tensor: input } });
    }
  }
}
