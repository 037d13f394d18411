import type { Code } from '../base/errors.ts';
import { GraphError, locatedMessage } from './graph-error.ts';

/** Collects what is wrong with a graph, so that all of it is reported at once. */
export class Faults {
  readonly #file: string | undefined;
  readonly #errors: GraphError[] = [];

  constructor(file: string | undefined) {
    this.#file = file;
  }

  get isEmpty(): boolean {
    return this.#errors.length === 0;
  }

  add(code: Code, message: string, line?: number, cause?: unknown): void {
    const located = locatedMessage(message, this.#file, line);
    this.#errors.push(new GraphError(code, located, { file: this.#file, line, cause }));
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
    });
  }
}
