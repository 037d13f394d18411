import { MillraceError } from '../../base/errors.ts';
import { fromImage, toImage, type Image } from '../../media/image.ts';
import {
  imagePacket,
  ImagePacketType,
  RequestPacketType,
  ResponsePacketType,
  TensorPacketType,
} from '../../calculators/packet-types.ts';
import { anyPacket, OneOfType, SameAsType, type GraphPort, type PacketType } from '../../graph/index.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import { responseFault, tensorFault } from '../../tensor/tensor-fault.ts';
import { expectedBytes, shapeFits, type Tensor } from '../../tensor/tensor.ts';

/** What a graph stream carries on the wire (OVMS sheet §5.1): by its calculators' types, else by the prefix of its tag. */
export type Form = 'request' | 'image' | 'tensor';

export function formOf(port: GraphPort): Form {
  const { type, tag } = port;
  if (type instanceof RequestPacketType || type instanceof ResponsePacketType) return 'request';
  if (type instanceof ImagePacketType) return 'image';
  if (type instanceof TensorPacketType) return 'tensor';
  if (tag.startsWith('REQUEST') || tag.startsWith('RESPONSE')) return 'request';
  return tag.startsWith('IMAGE') ? 'image' : 'tensor';
}

const anyRequest = new RequestPacketType();

/** A graph input with what is needed to make its packets; analysed once per load. */
export interface InputPort {
  readonly name: string;
  readonly form: Form;
  readonly type: GraphPort['type'];
}

/**
 * The value of the packet that a tensor becomes.
 * @throws MillraceError with OVMS's texts when the tensor is not what the stream carries
 */
export function packetValue(port: InputPort, tensor: Tensor): unknown {
  if (port.form === 'image') return toImage(tensor);
  const bytes = expectedBytes(tensor.datatype, tensor.shape);
  if (bytes !== undefined && bytes !== tensor.data.byteLength) {
    throw new MillraceError(
      'WRONG_BYTE_SIZE',
      `Invalid content size of tensor proto - Expected: ${bytes} bytes; Actual: ${tensor.data.byteLength} bytes; input name: ${tensor.name}`,
      { details: { tensor: tensor.name, expected: bytes, actual: tensor.data.byteLength } },
    );
  }
  if (port.type instanceof TensorPacketType) checkTensor(port.type, tensor);
  return tensor;
}

function checkTensor({ datatype, shape }: TensorPacketType, tensor: Tensor): void {
  if (datatype !== undefined && datatype !== tensor.datatype) {
    throw new MillraceError(
      'WRONG_DATATYPE',
      `Invalid input precision - Expected: ${datatype}; Actual: ${tensor.datatype}; input name: ${tensor.name}`,
      { details: { tensor: tensor.name, expected: datatype, actual: tensor.datatype } },
    );
  }
  if (shape !== undefined && !shapeFits(shape, tensor.shape)) {
    throw new MillraceError(
      'WRONG_SHAPE',
      `Invalid input shape - Expected: (${shape.join(',')}); Actual: (${tensor.shape.join(',')}); input name: ${tensor.name}`,
      { details: { tensor: tensor.name, expected: shape, actual: tensor.shape } },
    );
  }
}

/** Whether what an output carries can be on the wire, as far as its type says; values are checked one by one. */
export function isSendable(type: PacketType): boolean {
  if (type === anyPacket || type instanceof ImagePacketType || type instanceof SameAsType) return true;
  if (type instanceof OneOfType) return type.alternatives.some(isSendable);
  return type instanceof TensorPacketType || type instanceof ResponsePacketType;
}

/**
 * The tensors of an output packet: one, named after its stream; of a response, all of them as they are.
 * @throws MillraceError GRAPH_FAILED where the stream's form cannot be made of the value
 */
export function outputTensors(stream: string, form: Form, value: unknown): readonly Tensor[] {
  const fault = outputFault(form, value);
  if (fault !== undefined) {
    throw new MillraceError('GRAPH_FAILED', `output "${stream}": ${fault}`, { details: { stream } });
  }
  if (form === 'request') return (value as InferenceResponse).outputs;
  if (form === 'image') return [fromImage(stream, value as Image)];
  const tensor = value as Tensor;
  return [tensor.name === stream ? tensor : { ...tensor, name: stream }];
}

function outputFault(form: Form, value: unknown): string | undefined {
  if (form === 'tensor') return tensorFault(value);
  if (form === 'image')
    return imagePacket.accepts(value) ? undefined : 'a packet that is no image given, an image expected';
  return anyRequest.accepts(value) ? 'a request given, a response expected' : responseFault(value);
}

/** The value for the one input of a graph that takes whole requests. */
export function requestPort(inputs: readonly InputPort[]): InputPort | undefined {
  const [only] = inputs;
  return only?.form === 'request' ? only : undefined;
}

/** What a stream of this form carries beside its tensors; of a value that `outputTensors` took. */
export function responseParameters(form: Form, value: unknown): InferenceResponse['parameters'] {
  return form === 'request' ? (value as InferenceResponse).parameters : undefined;
}
