import { z } from 'zod';
import { defineCalculator, enumOption, optional } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { resize } from '../../media/resize.ts';
import { place, turn, type QuarterTurns } from '../../media/turn.ts';
import { bool, floatVector, int } from '../core/packet-types.ts';
import { imageSize } from '../message-types.ts';
import { imagePacket } from '../packet-types.ts';

const SCALE_MODES = { DEFAULT: 0, STRETCH: 1, FIT: 2, FILL_AND_CROP: 3 };
const TURNS: Readonly<Record<string, QuarterTurns>> = { ROTATION_90: 1, ROTATION_180: 2, ROTATION_270: 3 };

const options = z.object({
  outputWidth: z.int().min(0).max(16384).default(0).describe('In pixels; 0 leaves the size as it is.'),
  outputHeight: z.int().min(0).max(16384).default(0).describe('In pixels; 0 leaves the size as it is.'),
  rotationMode: enumOption({ UNKNOWN: 0, ROTATION_0: 1, ROTATION_90: 2, ROTATION_180: 3, ROTATION_270: 4 })
    .default('UNKNOWN')
    .describe('Against the clock, before scaling.'),
  flipVertically: z.boolean().default(false).describe('After turning: upside down.'),
  flipHorizontally: z.boolean().default(false).describe('After turning: left to right.'),
  scaleMode: enumOption(SCALE_MODES)
    .default('DEFAULT')
    .describe('STRETCH (the default) distorts, FIT adds bars, FILL_AND_CROP cuts off.'),
  constantPadding: z.boolean().default(true).describe('Bars of FIT are of one colour, else the edge repeats.'),
  paddingColor: z
    .object({ red: z.int().default(0), green: z.int().default(0), blue: z.int().default(0) })
    .default({ red: 0, green: 0, blue: 0 })
    .describe('Of the bars, 0–255.'),
  interpolationMode: enumOption({ DEFAULT: 0, LINEAR: 1, NEAREST: 2 })
    .default('DEFAULT')
    .describe('By default linear, or the mean of the pixels covered where both sides shrink.'),
});

type Options = z.infer<typeof options>;

/**
 * Turns images by quarters, scales and mirrors them. OUTPUT_DIMENSIONS (width and height) takes the place of the options at its
 * times. LETTERBOX_PADDING is the share that FIT added left, above, right and below.
 *
 * node {
 *   calculator: "ImageTransformationCalculator"
 *   input_stream: "IMAGE:image"
 *   output_stream: "IMAGE:small_image"
 *   options { [mediapipe.ImageTransformationCalculatorOptions.ext] { output_width: 320 output_height: 320 scale_mode: FIT } }
 * }
 */
export const imageTransformation = defineCalculator({
  name: 'ImageTransformationCalculator',
  options,
  inputs: {
    IMAGE: imagePacket,
    OUTPUT_DIMENSIONS: optional(imageSize),
    ROTATION_DEGREES: optional(int),
    FLIP_HORIZONTALLY: optional(bool),
    FLIP_VERTICALLY: optional(bool),
  },
  outputs: { IMAGE: imagePacket, LETTERBOX_PADDING: optional(floatVector) },
  inputSidePackets: {
    OUTPUT_DIMENSIONS: optional(imageSize),
    ROTATION_DEGREES: optional(int),
    FLIP_HORIZONTALLY: optional(bool),
    FLIP_VERTICALLY: optional(bool),
  },
  timestampOffset: 0,
  open({ options: given, sidePackets }) {
    return {
      process({ inputs, outputs }) {
        const image = inputs.IMAGE.packet?.value;
        if (image === undefined) return;
        const [outputWidth, outputHeight] = inputs.OUTPUT_DIMENSIONS?.packet?.value ??
          sidePackets.OUTPUT_DIMENSIONS ?? [given.outputWidth, given.outputHeight];
        const degrees = inputs.ROTATION_DEGREES?.packet?.value ?? sidePackets.ROTATION_DEGREES;
        const turns = degrees === undefined ? (TURNS[given.rotationMode] ?? 0) : quarterTurns(Number(degrees));
        const flip = (tag: 'FLIP_HORIZONTALLY' | 'FLIP_VERTICALLY', option: boolean) =>
          inputs[tag]?.packet?.value ?? sidePackets[tag] ?? option;
        const flipX = flip('FLIP_HORIZONTALLY', given.flipHorizontally);
        const flipY = flip('FLIP_VERTICALLY', given.flipVertically);
        const { scaled, padding } = scale(turn(image, turns, false, false), { ...given, outputWidth, outputHeight });
        outputs.IMAGE.send(turn(scaled, 0, flipX, flipY));
        outputs.LETTERBOX_PADDING?.send(padding);
      },
    };
  },
});

function quarterTurns(degrees: number): QuarterTurns {
  if (degrees % 90 !== 0) throw new Error(`ROTATION_DEGREES: ${degrees} given, a multiple of 90 expected`);
  return (((degrees / 90) % 4) + 4) % 4 as QuarterTurns; // prettier-ignore
}

interface Scaled {
  readonly scaled: Image;
  /** Shares of the result: left, above, right, below. */
  readonly padding: readonly number[];
}

function scale(image: Image, given: Options): Scaled {
  const { outputWidth: width, outputHeight: height, scaleMode, interpolationMode } = given;
  const none = [0, 0, 0, 0];
  if (width === 0 || height === 0) return { scaled: image, padding: none };
  const shrinks = (w: number, h: number) => image.width > w && image.height > h;
  const to = (w: number, h: number) =>
    resize(image, w, h, interpolationMode === 'NEAREST' ? 'nearest' : shrinks(w, h) ? 'area' : 'linear');
  if (scaleMode === 'FIT') {
    const ratio = Math.min(width / image.width, height / image.height);
    const [w, h] = [Math.max(1, Math.round(image.width * ratio)), Math.max(1, Math.round(image.height * ratio))];
    const [left, top] = [Math.trunc((width - w) / 2), Math.trunc((height - h) / 2)];
    const surround = given.constantPadding ? colourFor(image, given.paddingColor) : 'edge';
    return { scaled: place(to(w, h), width, height, left, top, surround), padding: bars(image, width, height) };
  }
  if (scaleMode === 'FILL_AND_CROP') {
    const ratio = Math.max(width / image.width, height / image.height);
    const [w, h] = [Math.round(image.width * ratio), Math.round(image.height * ratio)];
    const [left, top] = [Math.trunc((width - w) / 2), Math.trunc((height - h) / 2)];
    return { scaled: place(to(w, h), width, height, left, top, 'edge'), padding: none };
  }
  return { scaled: to(width, height), padding: none };
}

/** As MediaPipe tells them: of the sides as they are, before they are rounded to pixels. */
function bars(image: Image, width: number, height: number): number[] {
  const ratio = image.width / image.height / (width / height);
  const [across, down] = [Math.max(0, (1 - ratio) / 2), Math.max(0, (1 - 1 / ratio) / 2)];
  return [across, down, across, down];
}

/** A colour in the numbers of an image's format; opaque. */
function colourFor({ data }: Image, { red, green, blue }: Options['paddingColor']): number[] {
  const full = data instanceof Float32Array ? 1 : data instanceof Uint16Array ? 65535 : 255;
  return [red, green, blue, 255].map((value) => (value * full) / 255);
}
