import { defineCalculator, optional } from '../../graph/index.ts';
import { imageSize } from '../message-types.ts';
import { imagePacket } from '../packet-types.ts';

/**
 * The width and height of an image, in pixels. IMAGE, IMAGE_CPU and IMAGE_GPU mean the same here.
 *
 * node { calculator: "ImagePropertiesCalculator" input_stream: "IMAGE:image" output_stream: "SIZE:size" }
 */
export const imageProperties = defineCalculator({
  name: 'ImagePropertiesCalculator',
  inputs: { IMAGE: optional(imagePacket), IMAGE_CPU: optional(imagePacket), IMAGE_GPU: optional(imagePacket) },
  outputs: { SIZE: imageSize },
  timestampOffset: 0,
  contract({ inputs, fail }) {
    if (inputs.all.length !== 1) fail(`${inputs.all.length} inputs given, one expected: IMAGE, IMAGE_CPU or IMAGE_GPU`);
  },
  open: () => ({
    process({ inputs, outputs }) {
      const image = (inputs.IMAGE ?? inputs.IMAGE_CPU ?? inputs.IMAGE_GPU)?.packet?.value;
      if (image !== undefined) outputs.SIZE.send([image.width, image.height]);
    },
  }),
});
