import { isUtf8 } from 'node:buffer';
import { decodeBytes, encodeBytes } from '../tensor/bytes.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import { wrongElement, wrongTensor } from './faults.ts';

/** Elements of a BYTES tensor as views, row-major. @throws WRONG_DATATYPE for any other datatype */
export function bytesOf(tensor: Tensor, contentType: string): Buffer[] {
  if (tensor.datatype !== 'BYTES') {
    throw wrongTensor('WRONG_DATATYPE', tensor, contentType, `${tensor.datatype} given, BYTES expected`);
  }
  return decodeBytes(tensor.data, elementCount(tensor.shape), tensor.name);
}

/** A list as a BYTES tensor of shape `[n, 1]`, tagged with its content type (MLServer sheet §2). */
export function listTensor(name: string, elements: readonly (Uint8Array | string)[], contentType?: string): Tensor {
  return {
    name,
    datatype: 'BYTES',
    shape: [elements.length, 1],
    data: encodeBytes(elements),
    parameters: contentType === undefined ? undefined : { content_type: contentType },
  };
}

/** `str`: UTF-8 texts. @throws MALFORMED_BYTES for bytes that are none, and where */
export function decodeTexts(tensor: Tensor, contentType = 'str'): string[] {
  return bytesOf(tensor, contentType).map((element, index) => {
    if (!isUtf8(element)) throw wrongElement(tensor, contentType, index, 'is not valid UTF-8');
    return element.toString('utf8');
  });
}

/** `base64`: what the elements stand for; those that are no base64 come unchanged, as in MLServer. */
export function decodeBase64(tensor: Tensor): Buffer[] {
  return bytesOf(tensor, 'base64').map((element) =>
    isBase64(element) ? Buffer.from(element.toString('latin1'), 'base64') : element,
  );
}

export function encodeBase64(name: string, elements: readonly Uint8Array[]): Tensor {
  const encoded = elements.map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
  );
  return listTensor(name, encoded, 'base64');
}

/** Exactly what `base64.b64decode(…, validate=True)` of Python takes: groups of four, the padding complete. */
function isBase64(text: Uint8Array): boolean {
  const { length } = text;
  if (length % 4 !== 0) return false;
  const padding = text[length - 1] !== 0x3d ? 0 : text[length - 2] !== 0x3d ? 1 : 2;
  for (let at = 0; at < length - padding; at++) if (!isDigit(text[at] as number)) return false;
  return true;
}

/** A–Z, a–z, 0–9, + and /. */
function isDigit(code: number): boolean {
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || (code >= 47 && code <= 57) || code === 43;
}
