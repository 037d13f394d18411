import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../../../test/support/paths.ts';
import type { FieldType } from './message-type.ts';
import { modelConfig } from './model-config.ts';

/** Fields that mean the same everywhere. */
const OBVIOUS = [
  'name',
  'data_type',
  'dims',
  'shape',
  'versions',
  'num_versions',
  'count',
  'enable',
  'model_version',
  'batch_size',
  'input',
];

function fieldsOf(type: FieldType<unknown>): string[] {
  if (type.kind === 'repeated' || type.kind === 'map') return fieldsOf(type.of);
  if (type.kind !== 'message') return [];
  return Object.entries(type.fields).flatMap(([name, field]) => [name, ...fieldsOf(field)]);
}

test('docs/triton.md says of every field what becomes of it', () => {
  const text = readFileSync(join(ROOT, 'docs/triton.md'), 'utf8');
  const missing = [...new Set(fieldsOf(modelConfig))].filter(
    (name) => !OBVIOUS.includes(name) && !text.includes(`\`${name}`) && !text.includes(`.${name}\``),
  );
  expect(missing).toEqual([]);
});
