import { readFile } from 'node:fs/promises';
import { messageOf, MillraceError } from '../../base/errors.ts';
import { bytesFault } from '../../tensor/bytes.ts';
import { DATATYPE_BYTES, type Datatype } from '../../tensor/datatype.ts';
import { elementCount, shapeFits, type Tensor, type TensorSpec } from '../../tensor/tensor.ts';
import type { SequenceState } from './sequence-options.ts';

/** A state of which all is known. */
interface KnownState extends SequenceState {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** What a model hands from one request of a sequence to the next. */
export class ImplicitState {
  readonly #states: readonly KnownState[];
  readonly #hasBatch: boolean;
  /** Of a sequence's first request, and of a row that is in no sequence. */
  readonly initial: readonly Tensor[];

  private constructor(states: readonly KnownState[], initial: readonly Tensor[], hasBatch: boolean) {
    this.#states = states;
    this.initial = initial;
    this.#hasBatch = hasBatch;
  }

  /**
   * @param model what the states are of
   * @throws MillraceError CONFIG_INVALID where the model has no such tensor, or where a file is not there or does not hold what
   *   its tensor needs
   */
  static async load(
    given: readonly SequenceState[],
    model: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] },
    hasBatch: boolean,
  ): Promise<ImplicitState> {
    const states = given.map((state) => knownState(state, model, hasBatch));
    return new ImplicitState(states, await Promise.all(states.map((state) => initialOf(state, hasBatch))), hasBatch);
  }

  /**
   * The state after a run, under the names of the inputs that take it.
   * @throws MillraceError MODEL_FAILED where an output is not what its configuration says
   */
  after(model: string, outputs: readonly Tensor[]): Tensor[] {
    return this.#states.map(({ input, output, shape }) => {
      const tensor = outputs.find(({ name }) => name === output);
      const own = this.#hasBatch ? tensor?.shape.slice(1) : tensor?.shape;
      if (tensor === undefined || own === undefined || !shapeFits(shape, own)) {
        const given = tensor === undefined ? 'nothing' : `shape [${tensor.shape.join(',')}]`;
        throw new MillraceError(
          'MODEL_FAILED',
          `model '${model}': state "${output}": ${given} given, [${shape.join(',')}]${this.#hasBatch ? ' behind the batch' : ''} expected`,
          { details: { model, tensor: output } },
        );
      }
      // A view of a batch would keep all of it in memory.
      const { data } = tensor;
      const isAlone = data.byteLength === data.buffer.byteLength;
      return { ...tensor, name: input, data: isAlone ? data : Uint8Array.from(data) };
    });
  }
}

function knownState(
  state: SequenceState,
  model: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] },
  hasBatch: boolean,
): KnownState {
  const input = model.inputs.find(({ name }) => name === state.input);
  const output = model.outputs.find(({ name }) => name === state.output);
  if (input === undefined) throw invalid(state.input, `the model has no such input; it has ${names(model.inputs)}`);
  if (output === undefined) {
    throw invalid(state.input, `the model has no output "${state.output}"; it has ${names(model.outputs)}`);
  }
  const datatype = state.datatype ?? input.datatype;
  for (const { name, datatype: actual } of [input, output]) {
    if (actual !== datatype) throw invalid(state.input, `${datatype} given, the model's "${name}" is ${actual}`);
  }
  const shape = state.shape ?? (hasBatch ? input.shape.slice(1) : input.shape);
  const whole = hasBatch ? [1, ...shape] : shape;
  const fits =
    input.shape.length === whole.length && whole.every((dim, at) => dim === input.shape[at] || input.shape[at] === -1);
  if (!fits) {
    const given = hasBatch ? `[-1,${shape.join(',')}]` : `[${shape.join(',')}]`;
    throw invalid(state.input, `shape ${given} given, the model's input has [${input.shape.join(',')}]`);
  }
  return { ...state, datatype: datatype as Datatype, shape };
}

const names = (tensors: readonly TensorSpec[]): string => tensors.map(({ name }) => `"${name}"`).join(', ');

async function initialOf({ input, datatype, shape, initial }: KnownState, hasBatch: boolean): Promise<Tensor> {
  const own = initial?.shape ?? shape.map((dim) => Math.max(dim, 1));
  const whole = hasBatch ? [1, ...own] : [...own];
  const bytes = elementCount(own) * (datatype === 'BYTES' ? 4 : DATATYPE_BYTES[datatype]);
  if (initial?.file === undefined) return { name: input, datatype, shape: whole, data: new Uint8Array(bytes) };
  let data: Uint8Array;
  try {
    data = await readFile(initial.file);
  } catch (error) {
    throw invalid(input, `its initial state cannot be read: ${messageOf(error)}`);
  }
  if (datatype === 'BYTES') {
    const fault = bytesFault(data, elementCount(own), input);
    if (fault !== undefined) throw invalid(input, `initial state "${initial.file}": ${fault}`);
  } else if (data.byteLength !== bytes) {
    throw invalid(input, `initial state "${initial.file}": ${data.byteLength} bytes given, ${bytes} expected`);
  }
  return { name: input, datatype, shape: whole, data };
}

function invalid(tensor: string, text: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', `state "${tensor}": ${text}`, { details: { tensor } });
}
