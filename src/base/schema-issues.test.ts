import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeIssues, strictObject } from './schema-issues.ts';

const schema = strictObject({
  entries: z.array(strictObject({ name: z.string().min(1), nireq: z.int().min(0).optional() })),
  mode: z.enum(['own', 'shared']).optional(),
});

function faults(value: unknown): string {
  const { error } = schema.safeParse(value);
  return error === undefined ? '' : describeIssues(error, value);
}

test('an unknown key is named with its place and the key most like it', () => {
  expect(faults({ entries: [{ name: 'a', nirek: 1 }] })).toBe('entries[0]: unknown key "nirek"; did you mean "nireq"?');
  expect(faults({ entries: [], frobnicate: 1 })).toBe('unknown key "frobnicate"; "entries", "mode" expected');
});

test('a wrong value is shown with what was expected', () => {
  expect(faults({ entries: [{ name: 'a', nireq: 'four' }] })).toBe('entries[0].nireq: "four" given, number expected');
  expect(faults({ entries: [{ name: 'a', nireq: 1.5 }] })).toBe('entries[0].nireq: 1.5 given, a whole number expected');
  expect(faults({ entries: [{ name: 'a', nireq: -1 }] })).toBe('entries[0].nireq: -1 given, at least 0 expected');
  expect(faults({ entries: [{}] })).toBe('entries[0].name: missing, string expected');
  expect(faults({ entries: [], mode: 'ours' })).toBe('mode: "ours" given, "own" or "shared" expected');
});
