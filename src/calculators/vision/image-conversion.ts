import { defineCalculator, optional } from '../../graph/index.ts';
import { bool } from '../core/packet-types.ts';
import { imagePacket } from '../packet-types.ts';

/**
 * For graphs that tell images from image frames, which are the same here: passes the image on.
 *
 * node { calculator: "ToImageCalculator" input_stream: "IMAGE_CPU:frame" output_stream: "IMAGE:image" }
 */
export const toImageCalculator = defineCalculator({
  name: 'ToImageCalculator',
  inputs: { IMAGE: optional(imagePacket), IMAGE_CPU: optional(imagePacket), IMAGE_GPU: optional(imagePacket) },
  outputs: { IMAGE: imagePacket },
  timestampOffset: 0,
  contract({ inputs, fail }) {
    if (inputs.all.length !== 1) fail(`${inputs.all.length} inputs given, one expected: IMAGE, IMAGE_CPU or IMAGE_GPU`);
  },
  open: () => ({
    process({ inputs, outputs }) {
      const packet = (inputs.IMAGE ?? inputs.IMAGE_CPU ?? inputs.IMAGE_GPU)?.packet;
      if (packet !== undefined) outputs.IMAGE.send(packet);
    },
  }),
});

/**
 * For graphs that tell images from image frames, which are the same here: passes the image on.
 *
 * node { calculator: "FromImageCalculator" input_stream: "IMAGE:image" output_stream: "IMAGE_CPU:frame" }
 */
export const fromImageCalculator = defineCalculator({
  name: 'FromImageCalculator',
  inputs: { IMAGE: imagePacket },
  outputs: { IMAGE_CPU: optional(imagePacket), IMAGE_GPU: optional(imagePacket), SOURCE_ON_GPU: optional(bool) },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const { packet } = inputs.IMAGE;
      if (packet === undefined) return;
      outputs.IMAGE_CPU?.send(packet);
      outputs.IMAGE_GPU?.send(packet);
      outputs.SOURCE_ON_GPU?.send(false);
    },
  }),
});
