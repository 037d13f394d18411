import { MillraceError } from '../base/errors.ts';
import { encodeBytes } from '../tensor/bytes.ts';
import { DATATYPE_BYTES, type Datatype } from '../tensor/datatype.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import type { ClassTraits } from './servable-spec.ts';

/** The request without what its responses are to be made into: that is done here. */
export function withoutClasses(request: InferenceRequest): InferenceRequest {
  const outputs = request.outputs.map(({ name, parameters, shared }) => ({ name, parameters, shared }));
  return { ...request, outputs };
}

export function asksForClasses({ outputs }: InferenceRequest): boolean {
  return outputs.some(({ classes }) => classes !== undefined);
}

/**
 * Outputs as their largest elements, where the request wants that (Triton's classification extension, KServe sheet §1.2):
 * BYTES [batch, classes], or [classes] without a batch, of `value:index` or `value:index:label`.
 * @throws MillraceError INVALID_PARAMETER for datatypes that Triton does not classify either
 */
export function classified(
  request: InferenceRequest,
  response: InferenceResponse,
  traits: ClassTraits = NO_TRAITS,
): InferenceResponse {
  const wanted = new Map(request.outputs.map(({ name, classes }) => [name, classes]));
  const outputs = response.outputs.map((output) => {
    const most = wanted.get(output.name);
    return most === undefined ? output : topClasses(output, most, traits);
  });
  return { ...response, outputs };
}

const NO_TRAITS: ClassTraits = { hasBatch: false, labels: {} };

function topClasses(output: Tensor, most: number, { hasBatch, labels }: ClassTraits): Tensor {
  const values = readerOf(output);
  const rows = hasBatch ? (output.shape[0] ?? 1) : 1;
  const size = elementCount(hasBatch ? output.shape.slice(1) : output.shape);
  const count = Math.min(most, size);
  const names = labels[output.name] ?? [];
  const elements: string[] = [];
  for (let row = 0; row < rows; row++) {
    for (const at of largest(values, row * size, size, count)) {
      const index = at - row * size;
      const label = names[index];
      elements.push(`${textOf(values(at), output.datatype)}:${index}${label === undefined ? '' : `:${label}`}`);
    }
  }
  const shape = hasBatch ? [rows, count] : [count];
  return { ...output, datatype: 'BYTES', shape, data: encodeBytes(elements) };
}

type Values = (at: number) => number | bigint;

/** The places of the `count` largest of `size` elements from `start`, the largest first, equal ones in their order; NaN last. */
function largest(values: Values, start: number, size: number, count: number): number[] {
  const isBefore = (a: number, b: number): boolean => {
    const [x, y] = [values(a), values(b)];
    if (x !== x || y !== y) return y !== y && x === x;
    return x > y;
  };
  const inOrder = (a: number, b: number): number => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : a - b);
  // Twice as many as are wanted, now and then cut to the best: a sort of few, however many there are.
  let found: number[] = [];
  let least: number | undefined;
  for (let at = start; at < start + size; at++) {
    if (least !== undefined && !isBefore(at, least)) continue;
    if (found.push(at) < 2 * count) continue;
    found = found.sort(inOrder).slice(0, count);
    least = found.at(-1);
  }
  return found.sort(inOrder).slice(0, count);
}

const READERS: Partial<Record<Datatype, (view: DataView, at: number) => number | bigint>> = {
  UINT8: (view, at) => view.getUint8(at),
  UINT16: (view, at) => view.getUint16(at, true),
  UINT32: (view, at) => view.getUint32(at, true),
  UINT64: (view, at) => view.getBigUint64(at, true),
  INT8: (view, at) => view.getInt8(at),
  INT16: (view, at) => view.getInt16(at, true),
  INT32: (view, at) => view.getInt32(at, true),
  INT64: (view, at) => view.getBigInt64(at, true),
  FP32: (view, at) => view.getFloat32(at, true),
  FP64: (view, at) => view.getFloat64(at, true),
};

function readerOf({ name, datatype, data }: Tensor): Values {
  const read = READERS[datatype];
  if (read === undefined) {
    throw new MillraceError(
      'INVALID_PARAMETER',
      `class result not available for output due to unsupported type '${datatype}'`,
      { details: { tensor: name, parameter: 'classification' } },
    );
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const bytes = DATATYPE_BYTES[datatype];
  return (at) => read(view, at * bytes);
}

/** As C prints it: `%f` of what has a fraction. */
function textOf(value: number | bigint, datatype: Datatype): string {
  if (typeof value === 'bigint' || (datatype !== 'FP32' && datatype !== 'FP64')) return String(value);
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}.000000`;
  const text = value.toFixed(6);
  // A value half-way between two texts: C takes the even one, JavaScript the larger.
  const exact = value.toFixed(60).replace(/0+$/, '');
  const isHalf = exact.length === text.length + 1 && exact.endsWith('5');
  return isHalf && /[02468]5$/.test(exact) ? exact.slice(0, -1) : text;
}
