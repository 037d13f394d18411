import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphError } from '../../graph/index.ts';

/** The files themselves; in place of a folder, all `*.pbtxt` files below it. @throws GraphError for a folder without any */
export async function graphFilesOf(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    if (!(await isFolder(path))) {
      files.push(path);
      continue;
    }
    const below = (await readdir(path, { recursive: true })).filter((name) => name.endsWith('.pbtxt'));
    if (below.length === 0) throw new GraphError('NOT_FOUND', `${path}: the folder has no graph file (*.pbtxt)`);
    files.push(...below.toSorted().map((name) => join(path, name)));
  }
  return files;
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
