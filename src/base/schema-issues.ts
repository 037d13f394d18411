import { z } from 'zod';
import { didYouMean, listed } from './nearest.ts';

/** `z.strictObject` whose message for an unknown key names the key most like it, or else those that there are. */
export function strictObject<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape);
  const unknown = (key: string): string =>
    `unknown key "${key}"${didYouMean(key, known) || `; ${listed(known)} expected`}`;
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? issue.keys.map(unknown).join('; ') : undefined),
  });
}

/**
 * What is wrong with `value`, each fault as `path: what was expected, what came`.
 * @param at JSON path of `value` itself; "" for the root
 */
export function describeIssues(error: z.ZodError, value: unknown, at = ''): string {
  return error.issues
    .map((issue) => {
      const path = issue.path.reduce<string>((text, key) => joinPath(text, key), at);
      const where = path === '' ? '' : `${path}: `;
      return issue.code === 'unrecognized_keys'
        ? `${where}${issue.message}`
        : `${where}${given(valueAt(value, issue.path))}${expectation(issue)}`;
    })
    .join('; ');
}

/** `path` one key deeper, as in `model_config_list[0].config`. */
export function joinPath(path: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? String(key) : `${path}.${String(key)}`;
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `${issue.expected === 'int' ? 'a whole number' : issue.expected} expected`;
  if (issue.code === 'invalid_value')
    return `${issue.values.map((value) => JSON.stringify(value)).join(' or ')} expected`;
  if (issue.code !== 'too_small' && issue.code !== 'too_big') return issue.message;
  const length = issue.origin === 'string' || issue.origin === 'array' ? ' long' : '';
  return issue.code === 'too_small'
    ? `at least ${issue.minimum}${length} expected`
    : `at most ${issue.maximum}${length} expected`;
}

function given(value: unknown): string {
  if (value === undefined) return 'missing, ';
  const text = JSON.stringify(value);
  return `${text.length > 60 ? `${text.slice(0, 57)}...` : text} given, `;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      inner !== null && typeof inner === 'object' ? (inner as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}
