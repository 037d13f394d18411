/** The gRPC status codes, by name; HTTP statuses derive from them in `protocol/rest/`. */
export const CODES = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type Code = Exclude<keyof typeof CODES, 'OK'>;

/** Every failure the server can report, by stable name. `docs/errors.md` lists them; a test compares both ways. */
export const REASONS = {
  // The request itself
  MALFORMED_REQUEST: 'INVALID_ARGUMENT',
  REQUEST_TOO_LARGE: 'RESOURCE_EXHAUSTED',
  UNSUPPORTED_ENCODING: 'UNIMPLEMENTED',
  UNEXPECTED_INPUT: 'INVALID_ARGUMENT',
  MISSING_INPUT: 'INVALID_ARGUMENT',
  DUPLICATE_INPUT: 'INVALID_ARGUMENT',
  UNEXPECTED_OUTPUT: 'INVALID_ARGUMENT',
  WRONG_DATATYPE: 'INVALID_ARGUMENT',
  WRONG_SHAPE: 'INVALID_ARGUMENT',
  WRONG_BYTE_SIZE: 'INVALID_ARGUMENT',
  MALFORMED_BYTES: 'INVALID_ARGUMENT',
  CONTENTS_MIXED: 'INVALID_ARGUMENT',
  INVALID_PARAMETER: 'INVALID_ARGUMENT',
  INVALID_TIMESTAMP: 'INVALID_ARGUMENT',
  TIMESTAMP_NOT_INCREASING: 'INVALID_ARGUMENT',
  SIDE_PACKET_CHANGED: 'INVALID_ARGUMENT',
  NOT_ONE_RESPONSE: 'INVALID_ARGUMENT',
  // Who asks
  UNAUTHENTICATED: 'UNAUTHENTICATED',
  PERMISSION_DENIED: 'PERMISSION_DENIED',
  // Servables and sessions
  SERVABLE_NOT_FOUND: 'NOT_FOUND',
  VERSION_NOT_FOUND: 'NOT_FOUND',
  SERVABLE_NOT_READY: 'UNAVAILABLE',
  SERVABLE_MISMATCH: 'INVALID_ARGUMENT',
  DECOUPLED_UNARY: 'UNIMPLEMENTED',
  NOT_SUPPORTED: 'UNIMPLEMENTED',
  // Shared memory
  REGION_NOT_FOUND: 'NOT_FOUND',
  REGION_EXISTS: 'ALREADY_EXISTS',
  REGION_INVALID: 'INVALID_ARGUMENT',
  // Running
  GRAPH_INVALID: 'FAILED_PRECONDITION',
  GRAPH_START_FAILED: 'FAILED_PRECONDITION',
  GRAPH_FAILED: 'INVALID_ARGUMENT',
  CALL_TIMED_OUT: 'UNAVAILABLE',
  MODEL_INVALID: 'FAILED_PRECONDITION',
  MODEL_FAILED: 'INTERNAL',
  RUNTIME_FAILED: 'INTERNAL',
  HOST_LOST: 'UNAVAILABLE',
  SHUTTING_DOWN: 'UNAVAILABLE',
  LIMIT_REACHED: 'RESOURCE_EXHAUSTED',
  QUEUE_FULL: 'UNAVAILABLE',
  QUEUE_TIMEOUT: 'UNAVAILABLE',
  CANCELLED: 'CANCELLED',
  DEADLINE_EXCEEDED: 'DEADLINE_EXCEEDED',
  // Starting and configuring
  CONFIG_INVALID: 'FAILED_PRECONDITION',
  PORT_IN_USE: 'UNAVAILABLE',
  // Video in and out
  SOURCE_FAILED: 'UNAVAILABLE',
  SINK_FAILED: 'UNAVAILABLE',
  FFMPEG_MISSING: 'FAILED_PRECONDITION',
  // Pipelines
  PIPELINE_INVALID: 'INVALID_ARGUMENT',
  PIPELINE_NOT_FOUND: 'NOT_FOUND',
  PIPELINE_EXISTS: 'ALREADY_EXISTS',
  PIPELINE_STATE: 'FAILED_PRECONDITION',
  VIDEO_REFUSED: 'PERMISSION_DENIED',
  INTERNAL: 'INTERNAL',
} as const satisfies Record<string, Code>;

export type Reason = keyof typeof REASONS;

export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly (string | number)[]>>;

export interface ErrorOptions {
  /** Facts for a client to act on: servable, tensor, expected, actual. */
  readonly details?: ErrorDetails;
  /** Overrides the reason's default code. */
  readonly code?: Code;
  /** For the log only; never sent. */
  readonly cause?: unknown;
}

/** The one error class whose message may reach a client. Anything else becomes `INTERNAL` with a generic message. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly reason: Reason;
  readonly code: Code;
  readonly details: ErrorDetails;

  constructor(reason: Reason, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.code = options.code ?? REASONS[reason];
    this.details = options.details ?? {};
  }

  /** `error` itself when it is ours, else an `INTERNAL` one that keeps it as its cause. */
  static from(error: unknown): MillraceError {
    if (error instanceof MillraceError) return error;
    // A user's module may have its own copy of this class.
    if (error instanceof Error && error.name === 'MillraceError' && 'reason' in error && isReason(error.reason)) {
      const { message, details, code } = error as MillraceError;
      return new MillraceError(error.reason, message, { details, code, cause: error });
    }
    return new MillraceError('INTERNAL', 'internal error; the server log has the details', { cause: error });
  }
}

function isReason(name: unknown): name is Reason {
  return typeof name === 'string' && Object.hasOwn(REASONS, name);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
