import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { messageOf } from '../../base/errors.ts';
import { fileOption, GraphError } from '../../graph/index.ts';
import type { Classification } from '../message-types.ts';

/** What a class is called, by its number. */
export type LabelMap = ReadonlyMap<number, Pick<Classification, 'label' | 'displayName'>>;

/** Options that name classes, of several calculators; of several that are given the first in this order counts. */
export const labelMapOptions = {
  labelMapPath: fileOption()
    .optional()
    .describe('A text file with a name in each line, of class 0, 1 and so on; from the folder of the graph file.'),
  labelItems: z
    .array(
      z.object({
        key: z.bigint().describe('The number of the class.'),
        value: z.object({ name: z.string().default(''), displayName: z.string().optional() }),
      }),
    )
    .default([])
    .describe('Names by class, each `{ key: 7 value { name: "dog" display_name: "Dog" } }`.'),
};

/** The third way, of classifications only. */
export const labelEntriesOption = z
  .object({ entries: z.array(z.object({ id: z.int(), label: z.string().default('') })).default([]) })
  .optional()
  .describe('Names by class, each `entries { id: 7 label: "dog" }`.');

export interface LabelOptions {
  readonly labelMapPath?: string | undefined;
  readonly labelItems: readonly {
    readonly key: bigint;
    readonly value: { readonly name: string; readonly displayName?: string | undefined };
  }[];
  readonly labelMap?: z.infer<typeof labelEntriesOption>;
}

/**
 * The names that the options give; undefined: none.
 * @throws GraphError INVALID_ARGUMENT where the file cannot be read, or a class has two names
 */
export function labelMapOf({ labelMapPath, labelItems, labelMap }: LabelOptions): LabelMap | undefined {
  if (labelMapPath !== undefined) return new Map(linesOf(labelMapPath).map((label, at) => [at, { label }]));
  if (labelItems.length > 0) {
    return new Map(
      labelItems.map(({ key, value: { name, displayName } }) => [
        Number(key),
        { label: name, ...(displayName === undefined ? {} : { displayName }) },
      ]),
    );
  }
  if (labelMap === undefined) return undefined;
  const ids = labelMap.entries.map(({ id }) => id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw new GraphError('INVALID_ARGUMENT', `label_map has two entries of id ${twice}`);
  return new Map(labelMap.entries.map(({ id, label }) => [id, { label }]));
}

/** The lines of a file, without what ends them; no more after the last of these. */
function linesOf(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new GraphError('INVALID_ARGUMENT', `label_map_path: ${messageOf(error)}; a text file of names expected`);
  }
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
