import { z } from 'zod';
import { MillraceError } from '../../../base/errors.ts';
import { describeIssues } from '../../../base/schema-issues.ts';
import type { Contrast, Preprocessing, ResizeFormat } from '../../../pipelines/common/detector-info.ts';

const enabled = { enabled: z.boolean().default(false) };

/** `PREPROCESSING`; what else is in it is for training or for single pictures. */
const preprocessingSchema = z.object({
  'static-crop': z
    .object({ ...enabled, x_min: z.number(), y_min: z.number(), x_max: z.number(), y_max: z.number() })
    .partial({ x_min: true, y_min: true, x_max: true, y_max: true })
    .optional(),
  contrast: z.object({ ...enabled, type: z.string().optional() }).optional(),
  grayscale: z.object(enabled).optional(),
  resize: z
    .object({
      ...enabled,
      width: z.coerce.number().optional(),
      height: z.coerce.number().optional(),
      format: z.string().optional(),
    })
    .optional(),
});

const RESIZES: readonly ResizeFormat[] = [
  'Stretch to',
  'Fit (black edges) in',
  'Fit (white edges) in',
  'Fit (grey edges) in',
];

/**
 * `PREPROCESSING` of a Roboflow model's environment.json (sheet §5), JSON text or the object itself.
 * @throws MillraceError CONFIG_INVALID
 */
export function readPreprocessing(given: unknown): Preprocessing {
  let value: unknown;
  try {
    value = typeof given === 'string' ? JSON.parse(given) : (given ?? {});
  } catch {
    throw invalid('environment.json: PREPROCESSING: JSON text expected');
  }
  const { data, error } = preprocessingSchema.safeParse(value);
  if (data === undefined) throw invalid(`environment.json: PREPROCESSING: ${describeIssues(error, value)}`);
  const { 'static-crop': crop, contrast, grayscale, resize } = data;
  return {
    ...(crop?.enabled === true && {
      staticCrop: {
        x_min: crop.x_min ?? 0,
        y_min: crop.y_min ?? 0,
        x_max: crop.x_max ?? 100,
        y_max: crop.y_max ?? 100,
      },
    }),
    ...(contrast?.enabled === true && { contrast: contrastOf(contrast.type) }),
    ...(grayscale?.enabled === true && { grayscale: true }),
    resize: RESIZES.find((name) => resize?.enabled !== false && name === resize?.format) ?? 'Stretch to',
    width: resize?.width,
    height: resize?.height,
  };
}

function contrastOf(type: string | undefined): Contrast {
  if (type === 'Contrast Stretching' || type === 'Histogram Equalization') return type;
  throw invalid(
    `environment.json: contrast "${String(type)}" is not supported; Contrast Stretching or Histogram Equalization expected, or train the version without it`,
  );
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
