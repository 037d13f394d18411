import { MillraceError, type Code, type ErrorDetails, type Reason } from '../base/errors.ts';
import { DATATYPES } from '../tensor/datatype.ts';
import type { InferenceRequest, InferenceResponse, RequestedOutput } from '../tensor/inference.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { padded } from './frame.ts';
import { HeadReader, type HeadWriter } from './head.ts';
import type { ResponseTiming } from './session.ts';

const DATATYPE_INDEX = new Map(DATATYPES.map((datatype, index) => [datatype, index] as const));

/** A message's head and the tensors that follow it. */
export function openBody(body: Buffer): { head: HeadReader; tensorsAt: number } {
  return { head: new HeadReader(body, 4), tensorsAt: padded(4 + body.readUInt32LE(0)) };
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
  return writeTensors(writer, request.inputs);
}

export function readRequest(body: Buffer, head: HeadReader, tensorsAt: number): InferenceRequest {
  const servable = head.string();
  const version = head.string();
  const id = head.string();
  const parameters = head.parameters();
  const outputs: RequestedOutput[] = [];
  for (let left = head.varint(); left > 0; left--) outputs.push({ name: head.string(), parameters: head.parameters() });
  return { servable, version, id, parameters, outputs, inputs: readTensors(body, head, tensorsAt) };
}

export function writeResponse(writer: HeadWriter, response: InferenceResponse): readonly Uint8Array[] {
  writer.string(response.servable);
  writer.string(response.version);
  writer.string(response.id);
  writer.parameters(response.parameters);
  return writeTensors(writer, response.outputs);
}

export function readResponse(body: Buffer, head: HeadReader, tensorsAt: number): InferenceResponse {
  const servable = head.string();
  const version = head.string();
  const id = head.string();
  const parameters = head.parameters();
  return { servable, version, id, parameters, outputs: readTensors(body, head, tensorsAt) };
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

/** Bytes that a request or response counts for in credits: its tensors and a little for the rest. */
export function costOf(tensors: readonly Tensor[]): number {
  let bytes = 256;
  for (const tensor of tensors) bytes += tensor.data.byteLength;
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
