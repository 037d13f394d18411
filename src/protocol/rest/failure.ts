import type { MillraceError } from '../../base/errors.ts';
import type { ServableRef } from '../wire/json-request.ts';
import { errorBody, httpStatus } from './status.ts';

/** How a failure is answered. */
export interface FailureReply {
  readonly status: number;
  /** JSON. */
  readonly body: string;
}

/** What the request was, for texts that name it. */
export interface FailedRequest {
  /** Undefined: its path names no servable. */
  readonly ref: ServableRef | undefined;
  /** Undefined: it was not read. */
  readonly body: Buffer | undefined;
}

/** A dialect's answer to a failure. */
export type FailureForm = (error: MillraceError, request: FailedRequest) => FailureReply;

export const tritonFailure: FailureForm = (error) => ({
  status: httpStatus(error),
  body: errorBody(error.message, error.reason),
});
