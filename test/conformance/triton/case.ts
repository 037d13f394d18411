/** A tensor of a request: its elements, or bytes in hexadecimal where the case is about the bytes. */
export interface CaseTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Flat, row-major; 64-bit integers as decimal strings. */
  readonly values?: readonly (number | string | boolean)[];
  readonly raw?: string;
}

export interface CaseRequest {
  readonly model: string;
  readonly version?: string;
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, boolean | number | string>>;
  readonly inputs: readonly CaseTensor[];
  readonly outputs?: readonly string[];
}

/** The four forms in which the same inference travels. */
export const FORMS = ['grpc-raw', 'grpc-typed', 'http-json', 'http-binary'] as const;
export type Form = (typeof FORMS)[number];

/**
 * `values`: what comes back is equal; `shape`: it has at least the same keys, with values of the same types; `counts`: as
 * `values`, but for times of day and durations.
 */
export type Comparison = 'values' | 'shape' | 'counts';

interface CaseBase {
  readonly name: string;
  /** @default "values" */
  readonly compare?: Comparison;
  /** Waited for before it. @default 0 */
  readonly afterMs?: number;
}

interface InferCase extends CaseBase {
  readonly kind: 'infer';
  readonly request: CaseRequest;
  readonly forms: readonly Form[];
}

/** Any unary RPC. Bytes in the message are Buffers. */
interface RpcCase extends CaseBase {
  readonly kind: 'rpc';
  readonly method: string;
  readonly message: object;
  readonly gzip?: boolean;
}

/** One ModelStreamInfer: all requests, half-close, all responses. Each request in raw form. */
interface StreamCase extends CaseBase {
  readonly kind: 'stream';
  readonly requests: readonly CaseRequest[];
  /** In place of `requests`: the messages as they are. */
  readonly messages?: readonly object[];
  readonly gzip?: boolean;
  /** Responses of different requests may come in any order: they are compared request by request, by id. */
  readonly interleaved?: boolean;
}

interface HttpCase extends CaseBase {
  readonly kind: 'http';
  readonly method: 'GET' | 'POST' | 'HEAD' | 'PUT';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Hexadecimal, appended to `body`. */
  readonly tail?: string;
  /** Compress the body and say so. */
  readonly gzip?: boolean;
}

export type Case = InferCase | RpcCase | StreamCase | HttpCase;

/** A case in one form: what is really sent, and the key of its answer. */
export type Exchange = { readonly key: string; readonly compare: Comparison; readonly afterMs: number } & (
  | { readonly kind: 'rpc'; readonly method: string; readonly message: object; readonly gzip: boolean }
  | {
      readonly kind: 'stream';
      readonly messages: readonly object[];
      readonly gzip: boolean;
      readonly interleaved: boolean;
    }
  | {
      readonly kind: 'http';
      readonly method: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Buffer | undefined;
    }
);

/** What came back, in JSON. */
export type Answer =
  | { readonly code: number; readonly text: string; readonly response: unknown }
  | { readonly code: number; readonly text: string; readonly responses: readonly unknown[] }
  | { readonly status: number; readonly type: string; readonly encoding: string; readonly body: unknown };

export const rpc = (name: string, method: string, message: object = {}, more: object = {}): Case => ({
  kind: 'rpc',
  name,
  method,
  message,
  ...more,
});
export const get = (name: string, path: string, more: object = {}): Case => ({
  kind: 'http',
  name,
  method: 'GET',
  path,
  ...more,
});
export const post = (name: string, path: string, body = '', more: object = {}): Case => ({
  kind: 'http',
  name,
  method: 'POST',
  path,
  body,
  ...more,
});
