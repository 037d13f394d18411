import { z } from 'zod';

/** pydantic's words for truth, which MLServer's settings take. */
const WORDS: Readonly<Record<string, boolean>> = {
  true: true,
  t: true,
  yes: true,
  y: true,
  on: true,
  '1': true,
  false: false,
  f: false,
  no: false,
  n: false,
  off: false,
  '0': false,
};

/** The builders of MLServer's fields. As there, numbers and booleans may be written as texts. */
export const text = z.string();

export const flag = z.preprocess(
  (value) =>
    typeof value === 'string' || typeof value === 'number' ? (WORDS[String(value).toLowerCase()] ?? value) : value,
  z.boolean(),
);

export const whole = numeric(z.int());

export const port = numeric(z.int().min(0).max(65_535));

export const amount = numeric(z.number().min(0));

/** A number, also as a text. */
function numeric<T extends z.ZodType>(schema: T) {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\s*-?\d+(\.\d+)?\s*$/.test(value) ? Number(value) : value),
    schema,
  );
}

/**
 * A field that cannot be honoured: it passes at its default, and is refused otherwise.
 * @param instead why, and what to use
 */
export function refused<T extends z.ZodType>(schema: T, standard: z.output<T>, instead: string): z.ZodOptional<T> {
  const expected = JSON.stringify(standard);
  return schema
    .refine((value) => JSON.stringify(value) === JSON.stringify(standard), {
      message: `${expected} expected: ${instead}`,
    })
    .optional();
}

/** The unknown keys of an object that a schema describes. */
export function unknownKeys(value: object, schema: z.ZodObject): string[] {
  return Object.keys(value).filter((key) => !Object.hasOwn(schema.shape, key));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
