import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphError } from '../../graph/index.ts';

/** The file itself; of a folder, all `*.pbtxt` files below it. @throws GraphError for a folder without any */
export async function graphFilesOf(path: string): Promise<string[]> {
  if (!(await isFolder(path))) return [path];
  const below = (await readdir(path, { recursive: true })).filter((name) => name.endsWith('.pbtxt'));
  if (below.length === 0) throw new GraphError('NOT_FOUND', `${path}: the folder has no graph file (*.pbtxt)`);
  return below.toSorted().map((name) => join(path, name));
}

/** The graph file that `path` names; of a folder its `graph.pbtxt`, as in `base_path`. */
export async function graphFileOf(path: string): Promise<string> {
  return (await isFolder(path)) ? join(path, 'graph.pbtxt') : path;
}

async function isFolder(path: string): Promise<boolean> {
  // What cannot be looked at is told when it is read.
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
