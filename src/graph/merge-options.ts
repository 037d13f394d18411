import type { z } from 'zod';
import type { OptionFields } from './graph-config.ts';
import { parseOptions } from './options.ts';
import { camelCase } from './parse-graph-config.ts';

/**
 * A calculator's options with others laid over them, field by field, as a side packet OPTIONS brings them: named as in graph
 * files. Throws `INVALID_ARGUMENT`.
 */
export function mergeOptions<Schema extends z.ZodType<object>>(
  schema: Schema,
  options: z.core.output<Schema>,
  fields: OptionFields,
): z.core.output<Schema> {
  const parsed = parseOptions(schema, [{ type: 'OPTIONS', fields }]) as Record<string, unknown>;
  const given = Object.keys(fields).map((name) => camelCase(name));
  return { ...options, ...Object.fromEntries(given.map((name) => [name, parsed[name]])) };
}
