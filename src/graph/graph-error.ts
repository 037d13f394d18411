import { CODES, messageOf, type Code } from '../base/errors.ts';

/** What the engine itself finds wrong in a run: a packet's time, the type of its value, or queues that cannot be emptied. */
export type RunFault = 'timestamp' | 'type' | 'queue';

export interface GraphErrorOptions {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly cause?: unknown;
  readonly fault?: RunFault | undefined;
  readonly faults?: readonly GraphError[] | undefined;
}

/** A fault in a graph's file, in its use, or in one of its calculators. `code` follows MediaPipe's status codes. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
  readonly code: Code;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly fault: RunFault | undefined;
  readonly #faults: readonly GraphError[] | undefined;

  constructor(code: Code, message: string, options: GraphErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.file = options.file;
    this.line = options.line;
    this.fault = options.fault;
    this.#faults = options.faults;
  }

  /** The single faults, where this error stands for several found at once; else itself. */
  get faults(): readonly GraphError[] {
    return this.#faults ?? [this];
  }
}

/** `file:line: message`, as far as file and line are known. */
export function locatedMessage(message: string, file?: string, line?: number): string {
  if (line === undefined) return file === undefined ? message : `${file}: ${message}`;
  return `${file ?? '<graph>'}:${line}: ${message}`;
}

/** The code that a thrown value carries, else `UNKNOWN`. */
export function codeOf(error: unknown): Code {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code !== 'OK' && Object.hasOwn(CODES, code) ? (code as Code) : 'UNKNOWN';
}

/** Which of a calculator's functions is called. */
export type Phase = 'Open' | 'Process' | 'Close';

/** A calculator's failure, named after the phase and the node; keeps the code and the text of what was thrown. */
export function phaseError(phase: Phase, node: string, error: unknown): GraphError {
  return new GraphError(
    codeOf(error),
    `Calculator::${phase}() for node "${node}" failed: ${messageOf(error) || 'no message was given'}`,
    { cause: error },
  );
}

/** One error for all: their common code (else `UNKNOWN`), their messages one a line under `prefix`. */
export function combineErrors(prefix: string, errors: readonly GraphError[]): GraphError {
  const [first] = errors;
  const code = first !== undefined && errors.every((error) => error.code === first.code) ? first.code : 'UNKNOWN';
  return new GraphError(code, [prefix, ...errors.map((error) => error.message)].join('\n'), {
    file: first?.file,
    line: first?.line,
    cause: first?.cause ?? first,
    fault: first?.fault,
  });
}
