import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { kernelBytes } from '../support/kernel-bytes.ts';
import { ROOT } from '../support/paths.ts';

it('crop-kernel-bytes.ts is crop-kernel.wat, assembled', async () => {
  expect(await readFile(`${ROOT}/src/media/crop-kernel-bytes.ts`, 'utf8')).toBe(await kernelBytes());
});
