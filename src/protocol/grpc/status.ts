import { CODES, MillraceError, REASONS, type Code, type ErrorDetails, type Reason } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { challengeOf } from '../../security/guard.ts';

/** Reasons whose gRPC code is not the catalogue's: gRPC itself answers bytes that are no message with INTERNAL. */
const GRPC_CODES: Partial<Record<Reason, Code>> = { MALFORMED_REQUEST: 'INTERNAL' };

/** Clients refuse headers beyond 8 KiB as a rule; both texts together stay below that. */
const MAX_ENCODED_BYTES = 3072;

export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
  /** Trailing metadata: the stable name of what went wrong, and facts about it as JSON. */
  readonly trailers: Readonly<Record<string, string>>;
}

/** The status that a failed call ends with. */
export function toGrpcStatus(error: MillraceError): GrpcStatus {
  const isDefault = error.code === REASONS[error.reason];
  const code = (isDefault ? GRPC_CODES[error.reason] : undefined) ?? error.code;
  const trailers: Record<string, string> = { 'millrace-reason': error.reason };
  const details = asciiJson(error.details);
  if (details !== undefined && details !== '{}') trailers['millrace-details'] = details;
  const challenge = challengeOf(error);
  if (challenge !== undefined) trailers['www-authenticate'] = challenge;
  return { code: CODES[code], details: sendable(error.message), trailers };
}

/** What was thrown as an error of ours; a fault of the server is logged whole, since the client gets no more than a generic text. */
export function toCallError(thrown: unknown, logger: Logger, method: string): MillraceError {
  const error = MillraceError.from(thrown);
  if (error.reason === 'INTERNAL') logger.error({ method, err: error.cause ?? error }, 'gRPC call failed');
  return error;
}

/** JSON in ASCII, as metadata values must be; undefined where it does not fit in a header. */
function asciiJson(value: ErrorDetails): string | undefined {
  let json: string;
  try {
    json = JSON.stringify(value);
  } catch {
    return undefined; // longer than any string
  }
  if (json.length > MAX_ENCODED_BYTES) return undefined;
  const ascii = json.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return ascii.length > MAX_ENCODED_BYTES ? undefined : ascii;
}

/** `text` shortened until its percent-encoded form fits in a header, and without lone surrogates, which cannot be encoded. */
function sendable(text: string): string {
  // What is cut here cannot fit; encoding all of it might pass the longest string.
  let whole = Buffer.from(text.slice(0, MAX_ENCODED_BYTES), 'utf8').toString('utf8');
  while (encodeURI(whole).length > MAX_ENCODED_BYTES) {
    whole = Buffer.from(whole.slice(0, Math.floor(whole.length * 0.8)), 'utf8').toString('utf8');
  }
  return whole;
}
