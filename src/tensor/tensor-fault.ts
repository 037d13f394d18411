import { bytesFault } from './bytes.ts';
import { isDatatype } from './datatype.ts';
import type { Parameters } from './parameters.ts';
import { elementCount, expectedBytes, type Tensor } from './tensor.ts';

/**
 * What keeps `value`, which others' code made, from being a tensor that can be sent, e.g. "shape: [-1] given, whole numbers
 * from 0 expected". Undefined for a sound tensor.
 */
export function tensorFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `${kindOf(value)} given, a tensor expected`;
  }
  const { name, datatype, shape, data, parameters } = value as Partial<Record<keyof Tensor, unknown>>;
  if (typeof name !== 'string') return `name: ${kindOf(name)} given, string expected`;
  if (typeof datatype !== 'string' || !isDatatype(datatype)) {
    return `datatype: ${typeof datatype === 'string' ? `"${datatype}"` : kindOf(datatype)} given, one like FP32 expected`;
  }
  if (!isWholeNumbers(shape)) {
    return `shape: ${Array.isArray(shape) ? `[${shape.map(String).join(',')}]` : kindOf(shape)} given, whole numbers from 0 expected`;
  }
  if (!(data instanceof Uint8Array)) return `data: ${kindOf(data)} given, the raw bytes as Uint8Array expected`;
  const bytes = expectedBytes(datatype, shape);
  if (bytes !== undefined && bytes !== data.byteLength) {
    return `data: ${data.byteLength} bytes given, ${bytes} expected for ${datatype} [${shape.join(',')}]`;
  }
  const framing = datatype === 'BYTES' ? bytesFault(data, elementCount(shape), `tensor '${name}'`) : undefined;
  return framing === undefined ? parametersFault(parameters) : `data: ${framing}`;
}

/** The same of a response's `outputs` and `parameters`; the fault names the output. */
export function responseFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return `${kindOf(value)} given, an object with outputs expected`;
  const { outputs, parameters } = value as { outputs?: unknown; parameters?: unknown };
  if (!Array.isArray(outputs)) return `outputs: ${kindOf(outputs)} given, an array of tensors expected`;
  for (const [at, output] of (outputs as unknown[]).entries()) {
    const fault = tensorFault(output);
    if (fault === undefined) continue;
    const name = (output as Partial<Tensor> | null | undefined)?.name;
    return `output ${typeof name === 'string' ? `"${name}"` : at}: ${fault}`;
  }
  return parametersFault(parameters);
}

function parametersFault(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) return `parameters: ${kindOf(value)} given, object expected`;
  const wrong = Object.entries(value as Parameters).find(([, entry]) => !isParameter(entry));
  return (
    wrong && `parameter "${wrong[0]}": ${kindOf(wrong[1])} given, boolean, string, number or 64-bit integer expected`
  );
}

/** What keeps `value` from being headers. */
export function headersFault(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) return `headers: ${kindOf(value)} given, object expected`;
  const wrong = Object.entries(value).find(([, entry]) => typeof entry !== 'string');
  return wrong && `header "${wrong[0]}": ${kindOf(wrong[1])} given, string expected`;
}

/** What keeps `value` from being the description of a tensor, as in a runtime's `inputs`. */
export function tensorSpecFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return `${kindOf(value)} given, a name, datatype and shape expected`;
  const { name, datatype, shape } = value as { name?: unknown; datatype?: unknown; shape?: unknown };
  if (typeof name !== 'string') return `name: ${kindOf(name)} given, string expected`;
  if (typeof datatype !== 'string' || (!isDatatype(datatype) && datatype !== 'INVALID')) {
    return `datatype: ${typeof datatype === 'string' ? `"${datatype}"` : kindOf(datatype)} given, one like FP32 expected`;
  }
  if (Array.isArray(shape) && shape.every((dim) => Number.isSafeInteger(dim) && (dim as number) >= -1))
    return undefined;
  const given = Array.isArray(shape) ? `[${shape.map(String).join(',')}]` : kindOf(shape);
  return `shape: ${given} given, whole numbers from -1 expected`;
}

/** The type of a value for messages: "boolean", "undefined", "null", "Float32Array". */
export function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  const { name } = (value.constructor as { name?: unknown } | undefined) ?? {};
  return typeof name === 'string' && name !== '' ? name : 'Object';
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
}

/** A bigint is an int64; a user's module may have its own copies of `Uint64` and `JsonParameter`. */
function isParameter(value: unknown): boolean {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value;
  if (typeof value === 'object' && value !== null && 'value' in value) {
    return typeof value.value === 'bigint' && BigInt.asUintN(64, value.value) === value.value;
  }
  if (typeof value === 'object' && value !== null && 'text' in value) return typeof value.text === 'string';
  return typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number';
}
