import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import { checkInputs } from '../../runtime/check-inputs.ts';
import type { ModelSession, RunCaller } from '../../runtime/model-session.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { EnsembleStep } from '../host-spec.ts';
import type { Level } from './plan.ts';
import { Rows } from './rows.ts';

/** Responses of one run of a step that are under way where the configuration does not limit them. */
export const MAX_ROWS = 64;
/** The same in bytes; one is always let in. */
const MAX_ROW_BYTES = 64 * 2 ** 20;

/** Tensors by the stream that carries them. */
export type Values = ReadonlyMap<string, Tensor>;

/** Takes the tensors that a response of the ensemble is made of; the next one comes when it has settled. */
export type Answer = (values: Values) => Promise<void> | void;

/** Where what comes of one set of tensors goes. */
interface Outlet {
  readonly answer: Answer;
  /** It failed, and the whole with it: once what is before it has been told. */
  fail(error: unknown): Promise<void> | void;
}

export interface FlowParts {
  readonly steps: readonly EnsembleStep[];
  /** One for each step. */
  readonly sessions: readonly ModelSession[];
  readonly caller: RunCaller;
  readonly cancellation: Cancellation;
}

/**
 * One request on its way through the steps of an ensemble: each runs as soon as its inputs are there. Responses of a step that
 * answers more than once run on side by side, as many as its limit lets; answers come in the order of those responses.
 */
export class Flow {
  readonly #parts: FlowParts;
  /** Ends the steps that run when one has failed. */
  readonly #stop = new Cancellation();
  #fault: { readonly error: unknown } | undefined;

  constructor(parts: FlowParts) {
    this.#parts = parts;
  }

  /** Settles when no step of it runs any more. @throws the first failure of a step */
  async run(level: Level, inputs: Values, answer: Answer): Promise<void> {
    const fail = (error: unknown): void => this.#fail(error);
    const forget = this.#parts.cancellation.onCancel(fail);
    try {
      await this.#level(level, new Map(inputs), { answer, fail });
    } finally {
      forget();
    }
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  #fail(error: unknown): void {
    if (this.#fault !== undefined) return;
    this.#fault = { error };
    this.#stop.cancel(MillraceError.from(error));
  }

  /** Never rejects: what fails is told the outlet. */
  async #level(level: Level, values: Map<string, Tensor>, outlet: Outlet): Promise<void> {
    const waiting = new Set(level.steps);
    let hasFailed = false;
    const isOver = (): boolean => hasFailed || this.#fault !== undefined;
    const attempt = async (work: () => Promise<void> | void): Promise<void> => {
      if (isOver()) return;
      try {
        await work();
      } catch (error) {
        hasFailed = true;
        await outlet.fail(error);
      }
    };
    const advance = async (): Promise<void> => {
      const ready = [...waiting].filter((at) => this.#streamsInto(at).every((stream) => values.has(stream)));
      for (const at of ready) waiting.delete(at);
      await Promise.all(ready.map(step));
    };
    const step = async (at: number): Promise<void> => {
      const after = level.after.get(at);
      if (after !== undefined) return attempt(() => this.#runMany(at, values, after, outlet.answer));
      await attempt(() => this.#runOnce(at, values));
      if (!isOver()) await advance();
    };
    await advance();
    if (level.isAnswer) await attempt(() => outlet.answer(values));
  }

  async #runOnce(at: number, values: Map<string, Tensor>): Promise<void> {
    const { session, outputs } = this.#of(at);
    const isWanted = (): boolean => this.#fault === undefined;
    const results = await session.run(this.#inputs(at, values), isWanted, this.#caller);
    for (const [name, stream] of Object.entries(outputs)) {
      const result = results.find((each) => each.name === name);
      values.set(stream, result ?? noOutput(session.name, name, results));
    }
  }

  /** @throws after all that comes of its responses has ended */
  async #runMany(at: number, values: Values, after: Level, answer: Answer): Promise<void> {
    const { session, outputs, maxInflight } = this.#of(at);
    if (session.stream === undefined) {
      throw new MillraceError('INTERNAL', `'${session.name}' is decoupled and has no stream: this is a bug`);
    }
    const rows = new Rows(session.name, outputs);
    const underWay = new UnderWay(maxInflight);
    let last = Promise.resolve();
    try {
      for await (const response of session.stream(this.#inputs(at, values), this.#caller)) {
        for (const row of rows.add(response)) {
          await underWay.room(row);
          if (this.#fault !== undefined) return;
          last = this.#level(after, new Map(row), this.#behind(last, answer));
          underWay.add(row, last);
        }
      }
    } finally {
      await underWay.all();
    }
  }

  /** Where what comes of a response goes: behind that of the one before it. */
  #behind(before: Promise<void>, answer: Answer): Outlet {
    return {
      answer: async (values) => {
        await before;
        if (this.#fault === undefined) await answer(values);
      },
      fail: async (error) => {
        await before;
        this.#fail(error);
      },
    };
  }

  get #caller(): RunCaller {
    return { ...this.#parts.caller, signal: () => this.#stop.signal };
  }

  #streamsInto(at: number): string[] {
    return Object.values(this.#parts.steps[at]?.inputs ?? {});
  }

  #inputs(at: number, values: Values): Tensor[] {
    const { session, inputs } = this.#of(at);
    const tensors = Object.entries(inputs).flatMap(([name, stream]) => {
      const value = values.get(stream);
      return value === undefined ? [] : [{ ...value, name }];
    });
    // Graphs and users' code look at theirs themselves.
    if (session.step === undefined) checkInputs(session.name, session.inputs, tensors);
    return tensors;
  }

  #of(at: number): EnsembleStep & { readonly session: ModelSession } {
    const step = this.#parts.steps[at];
    const session = this.#parts.sessions[at];
    if (step === undefined || session === undefined) throw new RangeError(`an ensemble has no step ${at}`);
    return { ...step, session };
  }
}

/** Responses of one run of a step whose next steps have not ended. */
class UnderWay {
  readonly #most: number;
  readonly #rows = new Set<Promise<void>>();
  #bytes = 0;

  constructor(most: number | undefined) {
    this.#most = most === undefined || most === 0 ? MAX_ROWS : most;
  }

  async room(row: Values): Promise<void> {
    const bytes = bytesOf(row);
    while (this.#rows.size > 0 && (this.#rows.size >= this.#most || this.#bytes + bytes > MAX_ROW_BYTES)) {
      await Promise.race(this.#rows);
    }
  }

  /** @param work that never rejects */
  add(row: Values, work: Promise<void>): void {
    const bytes = bytesOf(row);
    this.#bytes += bytes;
    this.#rows.add(work);
    void work.finally(() => {
      this.#rows.delete(work);
      this.#bytes -= bytes;
    });
  }

  async all(): Promise<void> {
    await Promise.all(this.#rows);
  }
}

function bytesOf(row: Values): number {
  let bytes = 0;
  for (const { data } of row.values()) bytes += data.byteLength;
  return bytes;
}

/** Users' code and graphs may give less than they said. */
function noOutput(model: string, output: string, results: readonly Tensor[]): never {
  const given = results.length === 0 ? 'no output' : results.map(({ name }) => `"${name}"`).join(', ');
  throw new MillraceError('MODEL_FAILED', `'${model}' gave ${given}, output "${output}" expected`, {
    details: { model, tensor: output },
  });
}
