import { isAbsolute, join, normalize } from 'node:path';

/**
 * A file that a configuration names in one of the model's folders. A load request may bring the configuration, so it must not
 * lead elsewhere.
 * @throws Error
 */
export function dataFile(folder: string, file: string): string {
  if (file === '' || isAbsolute(file) || normalize(file).split(/[/\\]/)[0] === '..') {
    throw new Error(
      `"${file}" given, a file in the model's folder "${folder.slice(folder.lastIndexOf('/') + 1)}" expected`,
    );
  }
  return join(folder, file);
}
