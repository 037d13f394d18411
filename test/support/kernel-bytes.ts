import { readFile } from 'node:fs/promises';
import wabt from 'wabt';

const SOURCE = new URL('../../src/media/crop-kernel.wat', import.meta.url);

/** The text of src/media/crop-kernel-bytes.ts: crop-kernel.wat, assembled. */
export async function kernelBytes(): Promise<string> {
  const assembler = await wabt();
  const module = assembler.parseWat('crop-kernel.wat', await readFile(SOURCE, 'utf8'), { simd: true });
  try {
    module.validate();
    const text = Buffer.from(module.toBinary({}).buffer).toString('base64');
    return `/** crop-kernel.wat, assembled by \`npm run kernels\`. */\nexport const CROP_KERNEL =\n  '${text}';\n`;
  } finally {
    module.destroy();
  }
}
