import { z } from 'zod';
import type { Colour } from '../../media/drawing.ts';

/** A colour as MediaPipe's `Color` message. */
export const colour = z.object({
  r: z.int().min(0).max(255).default(0),
  g: z.int().min(0).max(255).default(0),
  b: z.int().min(0).max(255).default(0),
});

export const colourOf = ({ r, g, b }: z.infer<typeof colour>): Colour => [r, g, b];

export const BLACK: Colour = [0, 0, 0];
