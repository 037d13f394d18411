import { defineCalculator, tensorOf, tensorPacket, typedData, z } from 'millrace';

/** Keeps numbers between two limits: FP32 [1] → FP32 [1]. A whole calculator: graphs name it as they name the server's own. */
export const clamp = defineCalculator({
  name: 'ClampCalculator',
  options: z.object({ min: z.number().default(0), max: z.number().default(1) }),
  inputs: { '': tensorPacket('FP32', [1]) },
  outputs: { '': tensorPacket('FP32', [1]) },
  timestampOffset: 0, // what comes in at a time goes out at that time or not at all
  open({ options: { min, max } }) {
    return {
      process({ inputs, outputs }) {
        const { packet } = inputs[''];
        if (packet === undefined) return;
        const value = Math.min(max, Math.max(min, Number(typedData(packet.value)[0])));
        outputs[''].send(tensorOf('clamped', 'FP32', [1], Float32Array.of(value)));
      },
    };
  },
});
