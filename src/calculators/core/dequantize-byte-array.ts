import { z } from 'zod';
import { defineCalculator, PacketType } from '../../graph/index.ts';
import { floatVector } from './packet-types.ts';

const bytes = new PacketType<Uint8Array>('bytes', (value) => value instanceof Uint8Array);

/**
 * Numbers out of bytes: 0…255 spread over min…max, each at the middle of its step: byte · range / 255 + range / 512 + min.
 *
 * node { calculator: "DequantizeByteArrayCalculator" input_stream: "ENCODED:bytes" output_stream: "FLOAT_VECTOR:numbers"
 *        options { [mediapipe.DequantizeByteArrayCalculatorOptions.ext] { max_quantized_value: 2 min_quantized_value: -2 } } }
 */
export const dequantizeByteArray = defineCalculator({
  name: 'DequantizeByteArrayCalculator',
  options: z.object({
    maxQuantizedValue: z.number().describe('What byte 255 stands for, about.'),
    minQuantizedValue: z.number().describe('What byte 0 stands for, about.'),
  }),
  inputs: { ENCODED: bytes },
  outputs: { FLOAT_VECTOR: floatVector },
  timestampOffset: 0,
  check: ({ maxQuantizedValue, minQuantizedValue }) =>
    maxQuantizedValue > minQuantizedValue ? undefined : 'max_quantized_value must be greater than min_quantized_value',
  open({ options: { maxQuantizedValue, minQuantizedValue } }) {
    const range = maxQuantizedValue - minQuantizedValue;
    const step = Math.fround(range / 255);
    const first = Math.fround(range / 512 + minQuantizedValue);
    return {
      process({ inputs, outputs }) {
        const { packet } = inputs.ENCODED;
        if (packet !== undefined)
          outputs.FLOAT_VECTOR.send(Float32Array.from(packet.value, (byte) => byte * step + first));
      },
    };
  },
});
