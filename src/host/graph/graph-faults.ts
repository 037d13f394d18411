import { MillraceError, messageOf, type Reason } from '../../base/errors.ts';
import { GraphError, type RunFault } from '../../graph/index.ts';

const PREFIXES = {
  GRAPH_INVALID: 'Failed to initialize mediapipe graph - ',
  GRAPH_START_FAILED: 'Failed to start mediapipe graph - ',
} as const;

/** Of a model that the graph runs: it may work the next time, so it is no fault of the graph's. */
const UNAVAILABLE: ReadonlySet<Reason> = new Set<Reason>([
  'HOST_LOST',
  'QUEUE_FULL',
  'QUEUE_TIMEOUT',
  'SERVABLE_NOT_READY',
]);

const REASONS_OF_FAULTS = {
  timestamp: 'TIMESTAMP_NOT_INCREASING',
  type: 'WRONG_DATATYPE',
  queue: 'LIMIT_REACHED',
} as const satisfies Record<RunFault, Reason>;

/** A graph that cannot be made or started, with OVMS's text. */
export function startFault(reason: keyof typeof PREFIXES, error: unknown): MillraceError {
  return new MillraceError(reason, PREFIXES[reason] + messageOf(error), { cause: error });
}

/** A packet that the graph refuses: the end of the session (OVMS sheet §1.3). */
export function packetFault(stream: string, error: GraphError): MillraceError {
  const reason: Reason = error.fault === undefined ? 'GRAPH_FAILED' : REASONS_OF_FAULTS[error.fault];
  return new MillraceError(
    reason,
    `Failed to add packet to mediapipe graph input stream - ${error.code}: ${error.message}`,
    { code: 'INVALID_ARGUMENT', details: { stream } },
  );
}

/**
 * A run that failed, as OVMS says it (sheet §1.6): INVALID_ARGUMENT, or FAILED_PRECONDITION where a calculator said so;
 * always with the text of the calculator.
 */
export function runFault(error: unknown): MillraceError {
  if (!(error instanceof GraphError)) return MillraceError.from(error);
  if (error.cause instanceof MillraceError && error.cause.reason === 'CANCELLED') return error.cause;
  if (error.cause instanceof MillraceError && error.cause.reason === 'CALL_TIMED_OUT') {
    return new MillraceError('CALL_TIMED_OUT', error.message, { cause: error });
  }
  if (error.cause instanceof MillraceError && UNAVAILABLE.has(error.cause.reason)) {
    const { reason, details } = error.cause;
    return new MillraceError(reason, `Mediapipe execution failed. MP status - UNAVAILABLE: ${error.message}`, {
      details,
      cause: error,
    });
  }
  if (error.code === 'CANCELLED') return new MillraceError('CANCELLED', error.message, { cause: error });
  if (error.fault === 'queue') {
    return new MillraceError('LIMIT_REACHED', `Mediapipe execution failed. MP status - ${error.message}`, {
      cause: error,
    });
  }
  const isPrecondition = error.code === 'FAILED_PRECONDITION';
  const prefix = isPrecondition ? 'Mediapipe graph precondition failed - ' : 'Mediapipe execution failed. MP status - ';
  return new MillraceError('GRAPH_FAILED', `${prefix}${error.code}: ${error.message}`, {
    code: isPrecondition ? 'FAILED_PRECONDITION' : 'INVALID_ARGUMENT',
    cause: error,
  });
}
