import { readFile } from 'node:fs/promises';
import { messageOf } from '../../../base/errors.ts';
import { fileFault } from '../../../base/file-fault.ts';
import type { ClassTraits } from '../../servable-spec.ts';
import { dataFile } from './data-file.ts';
import type { ModelVersion } from './model-folder.ts';

/** What makes classes of a model's outputs, and the files that say so. */
export interface Labels {
  readonly classes: ClassTraits;
  /** Absolute. */
  readonly files: readonly string[];
}

/**
 * Reads the `label_filename` of each output: a label in each line.
 * @throws Error naming the field and the file
 */
export async function readLabels({ config, file, folder }: ModelVersion): Promise<Labels> {
  const labels: Record<string, readonly string[]> = {};
  const files: string[] = [];
  for (const { name, label_filename: given } of config.output) {
    if (given === '') continue;
    const where = file.place('output.label_filename');
    let path: string;
    try {
      path = dataFile(folder, given);
    } catch (error) {
      throw new Error(`${where}: ${messageOf(error)}`, { cause: error });
    }
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw new Error(`${where}: "${given}": ${fileFault(error)}`, { cause: error });
    });
    labels[name] = text.replace(/\r?\n$/, '').split(/\r?\n/);
    files.push(path);
  }
  return { classes: { hasBatch: config.max_batch_size > 0, labels }, files };
}
