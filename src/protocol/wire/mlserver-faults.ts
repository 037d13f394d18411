import { MillraceError, type Code, type Reason } from '../../base/errors.ts';
import type { ServableRef } from './json-request.ts';

/** gRPC codes of the statuses that MLServer's errors have; of others UNKNOWN (its sheet, §9). */
const CODES: Readonly<Record<number, Code>> = {
  400: 'INVALID_ARGUMENT',
  404: 'NOT_FOUND',
  422: 'FAILED_PRECONDITION',
  500: 'INTERNAL',
};

/** Reasons for which MLServer has another status than we have. */
const STATUSES: Partial<Record<Reason, number>> = {
  SERVABLE_NOT_READY: 400,
};

/** Reasons that gRPC in Python gives another code. */
const GRPC_CODES: Partial<Record<Reason, Code>> = { MALFORMED_REQUEST: 'UNKNOWN' };

/**
 * The HTTP status that MLServer answers an error with: one that a runtime chose itself (`details.status`, as its
 * `MLServerError` has), or that of a fault that it knows. Undefined: it has no such fault.
 */
export function mlserverStatus(error: MillraceError): number | undefined {
  const { reason, details } = error;
  const { status } = details;
  if (typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599) return status;
  return isNotFound(error) ? 404 : STATUSES[reason];
}

/** The error as a gRPC call of MLServer's ends with it. @param thrown of whatever kind */
export function toMlserverError(thrown: unknown, ref: ServableRef): MillraceError {
  const error = MillraceError.from(thrown);
  const status = mlserverStatus(error);
  const code = status === undefined ? (GRPC_CODES[error.reason] ?? error.code) : (CODES[status] ?? 'UNKNOWN');
  const message = mlserverText(error, ref, true);
  if (code === error.code && message === error.message && error.reason !== 'MALFORMED_REQUEST') return error;
  return new MillraceError(error.reason, message, { code, details: error.details, cause: error.cause });
}

/** The text of an error. @param isGrpc it has a version there in every case, if an empty one */
export function mlserverText(error: MillraceError, { servable, version }: ServableRef, isGrpc: boolean): string {
  const model = isGrpc || version !== '' ? `Model ${servable} with version ${version}` : `Model ${servable}`;
  const { reason, message } = error;
  if (isNotFound(error)) return `${model} not found`;
  return reason === 'SERVABLE_NOT_READY' ? `${model} is not ready yet. ${message}` : message;
}

/** What was unloaded is unknown to MLServer. */
function isNotFound({ reason, details }: MillraceError): boolean {
  return reason === 'SERVABLE_NOT_FOUND' || reason === 'VERSION_NOT_FOUND' || details['state'] === 'unloaded';
}
