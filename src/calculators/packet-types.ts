import { PacketType } from '../graph/index.ts';
import type { ModelSession } from '../runtime/model-session.ts';
import type { Datatype } from '../tensor/datatype.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { shapeFits, type Tensor, type TensorSpec } from '../tensor/tensor.ts';
import { IMAGE_FORMATS, type Image } from '../media/image.ts';

/** Tensors, of one datatype and shape where the calculator knows them; the graph's metadata and request checks use that. */
export class TensorPacketType extends PacketType<Tensor> {
  readonly datatype: Datatype | undefined;
  /** −1 is a dimension of any size. */
  readonly shape: readonly number[] | undefined;
  /** A time without a packet is no fault: nothing was found. Unary requests are answered without it. */
  readonly sparse: boolean;

  constructor(datatype?: Datatype, shape?: readonly number[], sparse = false) {
    const parts = ['Tensor', datatype, shape === undefined ? undefined : `[${shape.join(',')}]`];
    super(parts.filter((part) => part !== undefined).join(' '), (value) => {
      if (!isTensor(value)) return false;
      if (datatype !== undefined && value.datatype !== datatype) return false;
      return shape === undefined || shapeFits(shape, value.shape);
    });
    this.datatype = datatype;
    this.shape = shape;
    this.sparse = sparse;
  }

  override compatibleWith(consumer: PacketType): boolean {
    if (!(consumer instanceof TensorPacketType)) return super.compatibleWith(consumer);
    const sameDatatype =
      this.datatype === undefined || consumer.datatype === undefined || this.datatype === consumer.datatype;
    return sameDatatype && shapesMeet(this.shape, consumer.shape);
  }
}

export class ImagePacketType extends PacketType<Image> {
  /** A time without a packet is no fault: nothing was found. Unary requests are answered without it. */
  readonly sparse: boolean;

  constructor(sparse = false) {
    super('Image', isImage);
    this.sparse = sparse;
  }
}

function isImage(value: unknown): boolean {
  return isObject(value) && typeof value['format'] === 'string' && Object.hasOwn(IMAGE_FORMATS, value['format']);
}

/** Whole requests; `tensors` are the inputs that the graph advertises, empty where it takes any. */
export class RequestPacketType extends PacketType<InferenceRequest> {
  readonly tensors: readonly TensorSpec[];

  constructor(tensors: readonly TensorSpec[] = []) {
    super('InferenceRequest', (value) => isObject(value) && Array.isArray(value['inputs']));
    this.tensors = tensors;
  }
}

/** Whole responses; `tensors` are the outputs that the graph advertises. */
export class ResponsePacketType extends PacketType<InferenceResponse> {
  readonly tensors: readonly TensorSpec[];

  constructor(tensors: readonly TensorSpec[] = []) {
    super('InferenceResponse', (value) => isObject(value) && Array.isArray(value['outputs']));
    this.tensors = tensors;
  }
}

/** How the image was fitted into a model's input, to find the way back. */
export interface Letterbox {
  /** Of the source image, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Pixels of the model's input for one of the source, across and down; they differ by rounding only. */
  readonly scaleX: number;
  readonly scaleY: number;
  /** Grey pixels of the model's input left of and above the image. */
  readonly left: number;
  readonly top: number;
}

export function tensorPacket(datatype?: Datatype, shape?: readonly number[]): TensorPacketType {
  return new TensorPacketType(datatype, shape);
}

/** A tensor that is there only where something was found. */
export function sparseTensorPacket(datatype?: Datatype, shape?: readonly number[]): TensorPacketType {
  return new TensorPacketType(datatype, shape, true);
}

export function requestPacket(tensors?: readonly TensorSpec[]): RequestPacketType {
  return new RequestPacketType(tensors);
}

export function responsePacket(tensors?: readonly TensorSpec[]): ResponsePacketType {
  return new ResponsePacketType(tensors);
}

/** Several tensors in one packet, for the tags OVTENSORS, TENSORS and the like. */
export const tensorsPacket = new PacketType<readonly Tensor[]>(
  'Tensors',
  (value) => Array.isArray(value) && value.every(isTensor),
);

export const imagePacket = new ImagePacketType();

/** An image that is there only where something was found. */
export const sparseImagePacket = new ImagePacketType(true);

export const letterboxPacket = new PacketType<Letterbox>(
  'Letterbox',
  (value) => isObject(value) && typeof value['scaleX'] === 'number',
);

/** A side packet: the loaded model, owned by whoever provides it. */
export const sessionPacket = new PacketType<ModelSession>(
  'ModelSession',
  (value) => isObject(value) && typeof value['run'] === 'function',
);

const VECTOR_TAG = /^(OVTENSORS|TENSORS|MPTENSORS|TFTENSORS|TFLITE_TENSORS)/;

/** Whether streams of this tag carry several tensors in a packet (OVMS sheet §5.1, by the tag's prefix). */
export function isVectorTag(tag: string): boolean {
  return VECTOR_TAG.test(tag);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isTensor(value: unknown): value is Tensor {
  return isObject(value) && value['data'] instanceof Uint8Array && typeof value['datatype'] === 'string';
}

function shapesMeet(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  return a.length === b.length && a.every((dim, at) => dim === -1 || b[at] === -1 || dim === b[at]);
}
