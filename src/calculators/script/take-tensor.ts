import { DATATYPES, isDatatype } from '../../tensor/datatype.ts';
import { expectedBytes, type Tensor } from '../../tensor/tensor.ts';

/**
 * A tensor that a user's code made, checked where it was made, so that the message can name the place; what leaves the graph
 * is checked again (`tensorFault`).
 * @param where begins the message, as "execute gave at [0]"
 * @throws Error saying which field is wrong, what came and what was expected
 */
export function takeTensor(value: unknown, where: string): Tensor {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`${where} ${kindOf(value)}, a tensor expected`);
  }
  const { name, datatype, shape, data } = value as Partial<Record<keyof Tensor, unknown>>;
  const refuse = (field: string, came: unknown, expected: string): never => {
    const tensor = typeof name === 'string' ? `tensor "${name}"` : 'a tensor';
    throw new Error(`${where} ${tensor}: ${field} is ${kindOf(came)}, ${expected} expected`);
  };
  if (typeof name !== 'string') refuse('name', name, 'the name of an output');
  if (typeof datatype !== 'string' || !isDatatype(datatype)) {
    return refuse('datatype', datatype, `one of ${DATATYPES.join(', ')}`);
  }
  if (!Array.isArray(shape) || !shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    return refuse('shape', shape, 'a list of whole numbers from 0');
  }
  if (!(data instanceof Uint8Array)) return refuse('data', data, 'a Uint8Array');
  const bytes = expectedBytes(datatype, shape as number[]);
  if (bytes !== undefined && bytes !== data.byteLength) {
    refuse('data', `of ${data.byteLength} bytes`, `${bytes} bytes for ${datatype} [${shape.join(',')}]`);
  }
  return value as Tensor;
}

/** A few words for anything. */
export function kindOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(kindOf).join(', ')}]`;
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  return `an object (${Object.keys(value).join(', ') || 'empty'})`;
}
