import { MillraceError, type Code, type Reason } from '../../base/errors.ts';

/** HTTP status of each code; the only place where HTTP statuses of failures are decided, with `REASON_STATUS`. */
export const HTTP_STATUS = {
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 412,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
} as const satisfies Record<Code, number>;

/** Reasons for which HTTP has a status of its own. */
const REASON_STATUS: Partial<Record<Reason, number>> = {
  REQUEST_TOO_LARGE: 413,
  PIPELINE_STATE: 409,
  REGION_EXISTS: 400,
};

/** Failures that only HTTP knows; they stand in `reason` beside the catalogue's. */
export type TransportReason = 'PATH_NOT_FOUND' | 'METHOD_NOT_ALLOWED' | 'BAD_HTTP';

export function httpStatus(error: MillraceError): number {
  return REASON_STATUS[error.reason] ?? HTTP_STATUS[error.code];
}

/** The body of every failure. */
export function errorBody(message: string, reason: Reason | TransportReason): string {
  return `{"error":${JSON.stringify(message)},"reason":"${reason}"}`;
}
