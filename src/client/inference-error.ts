import { CODES } from '../base/errors.ts';

export type StatusName = keyof typeof CODES;

const NAMES = new Map<number, StatusName>(Object.entries(CODES).map(([name, code]) => [code, name as StatusName]));

/** What a server, or the way to it, answered in place of a response. */
export class InferenceError extends Error {
  override readonly name = 'InferenceError';
  /** gRPC's status; over REST the one that its HTTP status stands for. */
  readonly status: StatusName;
  /** Over REST only. */
  readonly httpStatus: number | undefined;
  /** Of the refused request in a stream that goes on; "" where there is none. */
  readonly requestId: string;

  constructor(
    status: StatusName,
    message: string,
    more: { readonly httpStatus?: number; readonly requestId?: string; readonly cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.status = status;
    this.httpStatus = more.httpStatus;
    this.requestId = more.requestId ?? '';
  }
}

/** Of a number on the wire; UNKNOWN for one that gRPC does not have. */
export function statusName(code: number): StatusName {
  return NAMES.get(code) ?? 'UNKNOWN';
}

/** gRPC's own table of HTTP statuses, read backwards (`doc/http-grpc-status-mapping.md`), and those of KServe's servers. */
export function statusOfHttp(httpStatus: number): StatusName {
  switch (httpStatus) {
    case 400:
    case 422:
      return 'INVALID_ARGUMENT';
    case 401:
      return 'UNAUTHENTICATED';
    case 403:
      return 'PERMISSION_DENIED';
    case 404:
      return 'NOT_FOUND';
    case 413:
    case 429:
      return 'RESOURCE_EXHAUSTED';
    case 501:
      return 'UNIMPLEMENTED';
    case 502:
    case 503:
      return 'UNAVAILABLE';
    case 504:
      return 'DEADLINE_EXCEEDED';
    default:
      return httpStatus >= 500 ? 'INTERNAL' : 'UNKNOWN';
  }
}
