import { z } from 'zod';
import { defineCalculator } from '../../graph/index.ts';
import { encodeBytes } from '../../tensor/bytes.ts';
import { viewOf, type Datatype } from '../../tensor/datatype.ts';
import { elementCount, tensorOf, type Tensor } from '../../tensor/tensor.ts';
import { tensorPacket } from '../packet-types.ts';
import { datatypeOption } from './tensor-spec-options.ts';

const options = z.object({
  datatype: datatypeOption.default('FP32'),
  shape: z.array(z.int().min(0)).default([]).describe('All dimensions; none for a scalar.'),
  value: z
    .array(z.number())
    .default([])
    .describe('The elements, row-major; one fills the tensor, none fills it with zeros. FP16 and BF16: only zeros.'),
  text: z.array(z.string()).default([]).describe('The elements of a BYTES tensor; one fills it.'),
});

type Options = z.infer<typeof options>;

/** The least and the greatest value of each whole-number datatype. */
const RANGES: Partial<Record<Datatype, readonly [bigint, bigint]>> = {
  BOOL: [0n, 1n],
  UINT8: [0n, 2n ** 8n - 1n],
  UINT16: [0n, 2n ** 16n - 1n],
  UINT32: [0n, 2n ** 32n - 1n],
  UINT64: [0n, 2n ** 64n - 1n],
  INT8: [-(2n ** 7n), 2n ** 7n - 1n],
  INT16: [-(2n ** 15n), 2n ** 15n - 1n],
  INT32: [-(2n ** 31n), 2n ** 31n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/**
 * A tensor from options as a side packet, such as the state in which a model starts.
 *
 * node {
 *   calculator: "ConstantTensorCalculator"
 *   output_side_packet: "TENSOR:initial_state"
 *   node_options { [type.googleapis.com/millrace.ConstantTensorCalculatorOptions] { datatype: FP32 shape: 1 shape: 32 } }
 * }
 */
export const constantTensor = defineCalculator({
  name: 'ConstantTensorCalculator',
  options,
  outputSidePackets: { TENSOR: tensorPacket() },
  contract(node) {
    const port = node.outputSidePackets.get('TENSOR');
    if (port !== undefined) port.type = tensorPacket(node.options.datatype, node.options.shape);
  },
  check: fault,
  open({ options: given, outputSidePackets }) {
    outputSidePackets.TENSOR.set(toTensor(given));
    return { process: (context) => context.stop() }; // a node without inputs counts as a source, until it stops
  },
});

function fault({ datatype, shape, value, text }: Options): string | undefined {
  const count = elementCount(shape);
  const given = datatype === 'BYTES' ? text.length : value.length;
  const unused = datatype === 'BYTES' ? value.length : text.length;
  if (unused > 0) return datatype === 'BYTES' ? 'BYTES takes text, not value' : `${datatype} takes value, not text`;
  if (given > 1 && given !== count) return `${given} elements given, shape [${shape.join(',')}] has ${count}`;
  const isHalf = datatype === 'FP16' || datatype === 'BF16';
  if (isHalf && value.some((number) => number !== 0)) return `${datatype}: only zeros can be written here`;
  return rangeFault(datatype, value);
}

/** Whole numbers within the datatype's range, where it has one. */
function rangeFault(datatype: Datatype, values: readonly number[]): string | undefined {
  const range = RANGES[datatype];
  if (range === undefined) return undefined;
  const fraction = values.find((value) => !Number.isInteger(value));
  if (fraction !== undefined) return `value: ${fraction} given, a whole number expected for ${datatype}`;
  const outside = values.find((value) => BigInt(value) < range[0] || BigInt(value) > range[1]);
  return outside === undefined
    ? undefined
    : `value: ${outside} given, ${range[0]}…${range[1]} expected for ${datatype}`;
}

function toTensor({ datatype, shape, value, text }: Options): Tensor {
  const count = elementCount(shape);
  if (datatype === 'BYTES') {
    const elements = text.length > 1 ? text : new Array<string>(count).fill(text[0] ?? '');
    return { name: 'TENSOR', datatype, shape, data: encodeBytes(elements) };
  }
  const values = new (viewOf(datatype))(count);
  const isBig = values instanceof BigInt64Array || values instanceof BigUint64Array;
  for (let at = 0; at < count; at++) {
    const element = value[value.length > 1 ? at : 0] ?? 0;
    values[at] = isBig ? BigInt(element) : element;
  }
  return tensorOf('TENSOR', datatype, shape, values);
}
