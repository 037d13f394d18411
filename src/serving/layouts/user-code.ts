import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { MillraceError } from '../../base/errors.ts';

const MODULES = ['.js', '.mjs', '.cjs', '.ts', '.mts'];
const SOURCES = [...MODULES, '.json'];
const PYTHON_SOURCES = ['.py'];

/**
 * The files of a user's module: itself, then the sources beside it, since it may import them.
 * @param path absolute
 * @param key of the configuration, and what it says there: for the message
 * @throws MillraceError CONFIG_INVALID when it is no module, or not there
 */
export async function moduleFiles(path: string, key: string, given: string): Promise<string[]> {
  if (!MODULES.includes(extname(path))) {
    throw invalid(`${key}: "${given}" given, a file that ends in ${MODULES.join(', ')} expected`);
  }
  return [path, ...(await sourcesBeside(await existing(path, key)))];
}

/** The same of a Python file. */
export async function pythonFiles(path: string, key: string): Promise<string[]> {
  return [path, ...(await sourcesBeside(await existing(path, key)))];
}

async function existing(path: string, key: string): Promise<string> {
  if ((await stat(path).catch(() => undefined))?.isFile() !== true) throw invalid(`${key}: "${path}" does not exist`);
  return path;
}

/** The sources in the folder of `path`, in its language, without itself; none where there is no such folder. */
export async function sourcesBeside(path: string): Promise<string[]> {
  const extensions = extname(path) === '.py' ? PYTHON_SOURCES : SOURCES;
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  const sources = names.filter((name) => extensions.includes(extname(name))).sort();
  return sources.map((name) => join(dirname(path), name)).filter((source) => source !== path);
}

/** Whether one of the words is in one of the files. */
export async function mentions(files: readonly string[], words: readonly string[]): Promise<boolean> {
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (words.some((word) => text.includes(word))) return true;
  }
  return false;
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
