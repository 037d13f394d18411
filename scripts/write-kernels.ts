/** Assembles the WebAssembly of `src/media` into modules of its bytes: `npm run kernels`. */
import { writeFile } from 'node:fs/promises';
import { kernelBytes } from '../test/support/kernel-bytes.ts';

await writeFile(new URL('../src/media/crop-kernel-bytes.ts', import.meta.url), await kernelBytes());
