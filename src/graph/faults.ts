import type { Code } from '../base/errors.ts';
import { GraphError, locatedMessage } from './graph-error.ts';

/** Where something stands in a graph file. */
export interface Place {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
}

/** Collects what is wrong with a graph, so that all of it is reported at once. */
export class Faults {
  readonly #file: string | undefined;
  readonly #errors: GraphError[] = [];

  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** `at` is a node or the like: its line, and its file where that is another one than the graph's. */
  add(code: Code, message: string, at: Place = {}, cause?: unknown): void {
    const { file = this.#file, line } = at;
    this.addError(new GraphError(code, locatedMessage(message, file, line), { file, line, cause }));
  }

  /** Adds an error whose message says where it is. */
  addError(error: GraphError): void {
    this.#errors.push(error);
  }

  /** Throws one error for all that was added, if anything was. */
  throwIfAny(): void {
    const [first] = this.#errors;
    if (first === undefined) return;
    if (this.#errors.length === 1) throw first;
    const code = this.#errors.every((error) => error.code === first.code) ? first.code : 'UNKNOWN';
    throw new GraphError(code, this.#errors.map((error) => error.message).join('\n'), {
      file: first.file,
      line: first.line,
      faults: this.#errors,
    });
  }
}
