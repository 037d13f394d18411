import { MillraceError } from '../../base/errors.ts';
import type { Image } from '../../media/image.ts';
import {
  decodeImage,
  encodeImage,
  IMAGE_CONTENT_TYPES,
  imageContentType,
  isImageContentType,
  notAnImage,
  type ImageContentType,
} from '../../media/image-codec.ts';
import { decodeBytes, encodeBytes } from '../../tensor/bytes.ts';
import type { InferenceRequest, InferenceResponse, RequestedOutput } from '../../tensor/inference.ts';
import { elementCount, type Tensor } from '../../tensor/tensor.ts';
import type { Form } from './ports.ts';

/** What an IMAGE packet is until it is decoded: a JPEG, PNG or WebP file. */
export class EncodedImage {
  readonly bytes: Uint8Array;
  readonly name: string;

  private constructor(bytes: Uint8Array, name: string) {
    this.bytes = bytes;
    this.name = name;
  }

  /**
   * The file that a BYTES tensor with one element holds, as far as its first bytes tell.
   * @throws MillraceError WRONG_SHAPE or MALFORMED_BYTES
   */
  static of({ name, shape, data }: Tensor): EncodedImage {
    if (elementCount(shape) !== 1) {
      throw new MillraceError(
        'WRONG_SHAPE',
        `input '${name}': BYTES of shape [${shape.join(',')}] given, one element expected, an encoded image`,
        { details: { tensor: name, expected: [1], actual: shape } },
      );
    }
    const [bytes] = decodeBytes(data, 1, name);
    if (bytes === undefined) throw new Error(`tensor '${name}' has no element. This is a bug`);
    if (imageContentType(bytes) === undefined) throw notAnImage(name, bytes);
    return new EncodedImage(bytes, name);
  }
}

interface Valued {
  readonly value: unknown;
}

export function isEncoded(packets: readonly Valued[]): boolean {
  return packets.some(({ value }) => value instanceof EncodedImage);
}

/**
 * The packets with their images decoded, one after another.
 * @throws MillraceError about the first that cannot be
 */
export async function decodePackets<T extends Valued>(packets: readonly T[]): Promise<readonly T[]> {
  const decoded: T[] = [];
  for (const packet of packets) {
    const { value } = packet;
    const isFile = value instanceof EncodedImage;
    decoded.push(isFile ? { ...packet, value: await decodeImage(value.bytes, value.name) } : packet);
  }
  return decoded;
}

/** How a request wants an image of an output. */
export interface ImageEncoding {
  readonly contentType: ImageContentType;
  readonly quality: number | undefined;
}

interface ImageOutput {
  readonly name: string;
  readonly form: Form;
}

/** The encoding that a request's parameters `content_type` and `quality` of this output ask for; undefined: raw pixels. */
export function encodingOf(request: Pick<InferenceRequest, 'outputs'>, output: ImageOutput): ImageEncoding | undefined {
  if (output.form !== 'image' || request.outputs.length === 0) return undefined;
  const asked = request.outputs.find(({ name }) => name === output.name);
  return asked === undefined ? undefined : encodingIn(asked);
}

/** @throws MillraceError INVALID_PARAMETER for an encoding that there is not, and for one of an output that is no image */
export function checkEncodings(request: Pick<InferenceRequest, 'outputs'>, outputs: readonly ImageOutput[]): void {
  if (request.outputs.length === 0) return;
  for (const output of outputs) {
    encodingOf(request, output);
    if (output.form !== 'image') checkUnencoded(request, output);
  }
}

function checkUnencoded({ outputs }: Pick<InferenceRequest, 'outputs'>, { name }: ImageOutput): void {
  const contentType = outputs.find((asked) => asked.name === name)?.parameters?.['content_type'];
  if (contentType === undefined) return;
  throw invalid(name, 'content_type', `${shown(contentType)} given, none expected: only IMAGE outputs can be encoded`);
}

function encodingIn({ name, parameters = {} }: RequestedOutput): ImageEncoding | undefined {
  const { content_type: contentType, quality } = parameters;
  if (contentType === undefined) return undefined;
  if (typeof contentType !== 'string' || !isImageContentType(contentType)) {
    const expected = IMAGE_CONTENT_TYPES.join(', ');
    throw invalid(name, 'content_type', `${shown(contentType)} given, ${expected} expected, or none for raw pixels`);
  }
  const number = quality === undefined ? undefined : Number(quality);
  const isNumber = typeof quality === 'bigint' || typeof quality === 'number';
  if (number !== undefined && !(isNumber && Number.isInteger(number) && number >= 1 && number <= 100)) {
    throw invalid(name, 'quality', `${shown(quality)} given, a whole number from 1 to 100 expected`);
  }
  return { contentType, quality: number };
}

const shown = (value: unknown): string => (typeof value === 'string' ? `"${value}"` : String(value));

function invalid(output: string, parameter: string, message: string): MillraceError {
  return new MillraceError('INVALID_PARAMETER', `output '${output}': parameter ${parameter}: ${message}`, {
    details: { tensor: output, parameter },
  });
}

/**
 * A response with one image, its one tensor become BYTES [1] with the encoded file.
 * @throws MillraceError as of `encodeImage`
 */
export async function encodeResponse(
  response: InferenceResponse,
  image: Image,
  { contentType, quality }: ImageEncoding,
): Promise<InferenceResponse> {
  const file = await encodeImage(image, contentType, quality);
  const data = encodeBytes([file]);
  const parameters = { content_type: contentType };
  const outputs = response.outputs.map(({ name }): Tensor => ({
    name,
    datatype: 'BYTES',
    shape: [1],
    data,
    parameters,
  }));
  return { ...response, outputs };
}
