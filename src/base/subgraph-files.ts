import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A graph file that other graphs of its folder may use as a calculator of the name `type`. */
export interface SubgraphFile {
  readonly type: string;
  readonly path: string;
  readonly text: string;
}

/** `type: "Name"` where a line begins: an executor's own `type` stands further in. */
const TYPE = /^type\s*:\s*["']([^"']+)["']/m;

/**
 * The `*.pbtxt` files beside a graph that have a `type`, by name. In `base/`, since the front watches them and hosts read
 * them.
 */
export async function subgraphFiles(graphPath: string): Promise<SubgraphFile[]> {
  const folder = dirname(graphPath);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.pbtxt') && name !== basename(graphPath));
  const files = await Promise.all(
    names.toSorted().map(async (name) => {
      const path = join(folder, name);
      const text = await readFile(path, 'utf8').catch(() => ''); // gone meanwhile, or a folder
      return { path, text, type: TYPE.exec(text)?.[1] ?? '' };
    }),
  );
  return files.filter(({ type }) => type !== '');
}
