import { MillraceError, type Reason } from '../../base/errors.ts';
import { hideCredentials } from '../../media/ffmpeg/redact.ts';

/** `error_type` of Roboflow's answers (sheet §2). */
export type ErrorType = 'internal_error' | 'invalid_payload' | 'not_found' | 'operation_error' | 'authorisation_error';

export interface FailureDetails {
  /** Python's name of the exception. */
  readonly errorClass?: string | undefined;
  readonly errorMessage?: string | undefined;
  /** For people, as generation B has it. */
  readonly publicMessage?: string | undefined;
  readonly pipelineId?: unknown;
}

/** A failure in the words of Roboflow's stream manager. */
export class RoboflowFailure extends Error {
  override readonly name = 'RoboflowFailure';
  readonly type: ErrorType;
  readonly details: FailureDetails;

  constructor(type: ErrorType, details: FailureDetails = {}) {
    super(details.errorMessage ?? type);
    this.type = type;
    this.details = details;
  }

  withPipeline(pipelineId: unknown): RoboflowFailure {
    return new RoboflowFailure(this.type, { ...this.details, pipelineId });
  }
}

/** Of reasons that have a class of their own there; for others it is `internal_error`, with our reason as the class. */
const TYPES: Partial<Record<Reason, readonly [ErrorType, string]>> = {
  SERVABLE_NOT_FOUND: ['not_found', 'RoboflowAPINotNotFoundError'],
  VERSION_NOT_FOUND: ['not_found', 'RoboflowAPINotNotFoundError'],
  PIPELINE_INVALID: ['invalid_payload', 'ValueError'],
  PIPELINE_EXISTS: ['invalid_payload', 'ValueError'],
  VIDEO_REFUSED: ['invalid_payload', 'PermissionError'],
  PIPELINE_STATE: ['operation_error', 'StreamOperationNotAllowedError'],
  LIMIT_REACHED: ['operation_error', 'LimitReachedError'],
  UNAUTHENTICATED: ['authorisation_error', 'RoboflowAPINotAuthorizedError'],
  PERMISSION_DENIED: ['authorisation_error', 'RoboflowAPINotAuthorizedError'],
  DEADLINE_EXCEEDED: ['internal_error', 'TimeoutError'],
} as Partial<Record<Reason, readonly [ErrorType, string]>>;

export function toFailure(thrown: unknown): RoboflowFailure {
  if (thrown instanceof RoboflowFailure) return thrown;
  const error = MillraceError.from(thrown);
  const pipelineId = error.details['pipeline_id'];
  if (error.reason === 'PIPELINE_NOT_FOUND') {
    const publicMessage = `Could not find InferencePipeline with id=${String(pipelineId)}.`;
    return new RoboflowFailure('not_found', { publicMessage, pipelineId });
  }
  const [type, errorClass] = typeOf(error);
  const errorMessage = error.message;
  return new RoboflowFailure(type, { errorClass, errorMessage, publicMessage: errorMessage, pipelineId });
}

function typeOf({ reason, details }: MillraceError): readonly [ErrorType, string] {
  // An address that has tried too many tokens is to wait; that is no matter of the pipeline.
  if (reason === 'LIMIT_REACHED' && 'retryAfterS' in details) return ['authorisation_error', 'LimitReachedError'];
  return TYPES[reason] ?? ['internal_error', reason];
}

/** `response` of a failure; the keys in the order of theirs. */
export function failureBody({ type, details }: RoboflowFailure): Readonly<Record<string, unknown>> {
  const { errorClass, errorMessage, publicMessage } = details;
  return {
    status: 'failure',
    error_type: type,
    ...(errorClass !== undefined && { error_class: errorClass }),
    ...(errorMessage !== undefined && { error_message: hideCredentials(errorMessage) }),
    ...(publicMessage !== undefined && { public_error_message: hideCredentials(publicMessage) }),
  };
}

export function keyError(key: string): RoboflowFailure {
  return new RoboflowFailure('invalid_payload', { errorClass: 'KeyError', errorMessage: `'${key}'` });
}

export function valueError(message: string, type: ErrorType = 'invalid_payload'): RoboflowFailure {
  return new RoboflowFailure(type, { errorClass: 'ValueError', errorMessage: message });
}
