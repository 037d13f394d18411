import { expect, test } from 'vitest';
import * as millrace from './index.ts';

test('the public names are these', () => {
  expect(Object.keys(millrace).sort()).toEqual([
    'MillraceError',
    'Uint64',
    'decodeBytes',
    'defineRuntime',
    'encodeBytes',
    'tensorOf',
    'textData',
    'typedData',
  ]);
});
