/**
 * Requests, responses and errors as message heads, for both ends and for hosts in other languages (`python/millrace_host/`).
 *
 * Of these parts (`head.ts`): a *varint* is an unsigned LEB128 number below 2^53; a *string* is the varint of its UTF-8
 * length and its bytes; *parameters* are a varint count, then for each a string name, a kind byte and its value (0 false,
 * 1 true, 2 int64 LE, 3 string, 4 float64 LE, 5 uint64 LE, 6 JSON text as a string).
 *
 *     request   servable version id: strings, parameters, varint outputs × (string name, parameters), tensors, headers, sharing, route
 *     response  servable version id: strings, parameters, tensors, headers
 *     tensors   varint count × (string name, byte index into DATATYPES, varint rank × varint dim, parameters, varint bytes)
 *     headers   varint count × (string name, string value); where there are none the head ends before it
 *     sharing   varint count × (varint index among inputs, then outputs; string region; string file; string its device and inode,
 *               `dev:ino`; varint byte in the file; varint bytes): what of them is in shared memory; where nothing is, the head ends before it
 *     route     string: of a call of a route of a runtime's own; of an inference the head ends before it
 *     error     string: JSON of reason, code, message, details
 *
 * A head begins with `loadId` in INFER (which adds a varint: when it was asked for, in µs as of `clock.ts`) and in OPEN (which
 * adds two: the credit for responses, in messages and bytes), and with the timing in RESPONSE (one varint 0 where there is none).
 */
import { MillraceError, type Code, type ErrorDetails, type Reason } from '../base/errors.ts';
import { DATATYPES } from '../tensor/datatype.ts';
import type { Headers, InferenceRequest, InferenceResponse, RequestedOutput } from '../tensor/inference.ts';
import { setOwn } from '../base/set-own.ts';
import { sharesMemory, type SharedBytes } from '../tensor/shared-bytes.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { padded } from './frame.ts';
import { HeadReader, type HeadWriter } from './head.ts';
import type { ResponseTiming } from './session.ts';

const DATATYPE_INDEX = new Map(DATATYPES.map((datatype, index) => [datatype, index] as const));

/** A message's head and the tensors that follow it. */
export function openBody(body: Buffer): { head: HeadReader; tensorsAt: number } {
  const end = 4 + body.readUInt32LE(0);
  return { head: new HeadReader(body, 4, end), tensorsAt: padded(end) };
}

export function writeRequest(writer: HeadWriter, request: InferenceRequest): readonly Uint8Array[] {
  writer.string(request.servable);
  writer.string(request.version);
  writer.string(request.id);
  writer.parameters(request.parameters);
  writer.varint(request.outputs.length);
  for (const output of request.outputs) {
    writer.string(output.name);
    writer.parameters(output.parameters);
  }
  const tensors = writeTensors(writer, request.inputs);
  const isShared = sharesMemory(request);
  const isRoute = request.route !== undefined;
  if (request.headers !== undefined || isShared || isRoute) writeHeaders(writer, request.headers ?? {});
  if (isShared || isRoute) writeSharing(writer, request);
  if (request.route !== undefined) writer.string(request.route);
  return tensors;
}

export function readRequest(body: Buffer, head: HeadReader, tensorsAt: number): InferenceRequest {
  const servable = head.string();
  const version = head.string();
  const id = head.string();
  const parameters = head.parameters();
  const outputs: RequestedOutput[] = [];
  for (let left = head.varint(); left > 0; left--) outputs.push({ name: head.string(), parameters: head.parameters() });
  const inputs = readTensors(body, head, tensorsAt);
  const request: InferenceRequest = { servable, version, id, parameters, outputs, inputs };
  if (head.isAtEnd) return request;
  const headers = readHeaders(head);
  if (head.isAtEnd) return { ...request, headers };
  const shared = withSharing({ ...request, headers }, head);
  return head.isAtEnd ? shared : { ...shared, route: head.string() };
}

function writeSharing(writer: HeadWriter, { inputs, outputs }: InferenceRequest): void {
  const places = [...inputs, ...outputs].flatMap(({ shared }, index) =>
    shared === undefined ? [] : [{ index, shared }],
  );
  writer.varint(places.length);
  for (const { index, shared } of places) {
    writer.varint(index);
    writer.string(shared.region);
    writer.string(shared.file?.path ?? '');
    writer.string(shared.file?.id ?? '');
    writer.varint((shared.file?.start ?? 0) + shared.offset);
    writer.varint(shared.byteSize);
  }
}

function withSharing(request: InferenceRequest, head: HeadReader): InferenceRequest {
  const places = new Map<number, SharedBytes>();
  for (let left = head.varint(); left > 0; left--) {
    const index = head.varint();
    const [region, path, id, start] = [head.string(), head.string(), head.string(), head.varint()];
    places.set(index, { region, offset: 0, byteSize: head.varint(), file: { path, id, start } });
  }
  const { inputs, outputs } = request;
  return {
    ...request,
    inputs: inputs.map((input, at) => ({ ...input, shared: places.get(at) })),
    outputs: outputs.map((output, at) => ({ ...output, shared: places.get(inputs.length + at) })),
  };
}

export function writeResponse(writer: HeadWriter, response: InferenceResponse): readonly Uint8Array[] {
  writer.string(response.servable);
  writer.string(response.version);
  writer.string(response.id);
  writer.parameters(response.parameters);
  const tensors = writeTensors(writer, response.outputs);
  if (response.headers !== undefined) writeHeaders(writer, response.headers);
  return tensors;
}

export function readResponse(body: Buffer, head: HeadReader, tensorsAt: number): InferenceResponse {
  const servable = head.string();
  const version = head.string();
  const id = head.string();
  const parameters = head.parameters();
  const outputs = readTensors(body, head, tensorsAt);
  const response: InferenceResponse = { servable, version, id, parameters, outputs };
  return head.isAtEnd ? response : { ...response, headers: readHeaders(head) };
}

function writeHeaders(writer: HeadWriter, headers: Headers): void {
  const names = Object.keys(headers);
  writer.varint(names.length);
  for (const name of names) {
    writer.string(name);
    writer.string(headers[name] as string);
  }
}

function readHeaders(head: HeadReader): Headers {
  const headers: Record<string, string> = {};
  for (let left = head.varint(); left > 0; left--) setOwn(headers, head.string(), head.string());
  return headers;
}

function writeTensors(writer: HeadWriter, tensors: readonly Tensor[]): readonly Uint8Array[] {
  writer.varint(tensors.length);
  const data: Uint8Array[] = [];
  for (const tensor of tensors) {
    writer.string(tensor.name);
    writer.byte(DATATYPE_INDEX.get(tensor.datatype) as number);
    writer.varint(tensor.shape.length);
    for (const dim of tensor.shape) writer.varint(dim);
    writer.parameters(tensor.parameters);
    writer.varint(tensor.data.byteLength);
    data.push(tensor.data);
  }
  return data;
}

function readTensors(body: Buffer, head: HeadReader, at: number): Tensor[] {
  const tensors: Tensor[] = [];
  for (let left = head.varint(); left > 0; left--) {
    const name = head.string();
    const datatype = DATATYPES[head.byte()] as Tensor['datatype'];
    const shape: number[] = [];
    for (let dims = head.varint(); dims > 0; dims--) shape.push(head.varint());
    const parameters = head.parameters();
    const bytes = head.varint();
    tensors.push({ name, datatype, shape, parameters, data: body.subarray(at, at + bytes) });
    at += padded(bytes);
  }
  return tensors;
}

interface PlainError {
  readonly reason: Reason;
  readonly code: Code;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** Errors are rare: JSON. The cause stays where it was logged. */
export function writeError(writer: HeadWriter, error: MillraceError): void {
  const { reason, code, message, details } = error;
  const plain: PlainError = { reason, code, message, details };
  writer.string(toJson(plain) ?? JSON.stringify({ ...plain, details: {} }));
}

/** Undefined for what JSON cannot say, such as a bigint among the details of a user's error. */
function toJson(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

export function readError(head: HeadReader): MillraceError {
  const plain = JSON.parse(head.string()) as PlainError;
  return new MillraceError(plain.reason, plain.message, { code: plain.code, details: plain.details });
}

/** Bytes that a request or response counts for in credits: its tensors, shared ones too, and a little for the rest. */
export function costOf(tensors: readonly Tensor[]): number {
  let bytes = 256;
  for (const { data, shared } of tensors) bytes += shared?.byteSize ?? data.byteLength;
  return bytes;
}

export function writeResponseTiming(writer: HeadWriter, timing: ResponseTiming | undefined): void {
  writer.varint(timing === undefined ? 0 : timing.latencyUs + 1);
  if (timing === undefined) return;
  writer.varint(timing.previousUs === undefined ? 0 : timing.previousUs + 1);
}

export function readResponseTiming(head: HeadReader): ResponseTiming | undefined {
  const latency = head.varint();
  if (latency === 0) return undefined;
  const previous = head.varint();
  return { latencyUs: latency - 1, previousUs: previous === 0 ? undefined : previous - 1 };
}
