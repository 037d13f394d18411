import { readFile } from 'node:fs/promises';
import { MillraceError, messageOf } from '../../base/errors.ts';
import { fileFault } from '../../base/file-fault.ts';
import { findJsonFault } from './json-fault.ts';

/**
 * The value in a JSON file.
 * @throws MillraceError CONFIG_INVALID naming the file, and line, column and what was expected where it is not JSON
 */
export async function readJsonFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new MillraceError('CONFIG_INVALID', `${path}: cannot be read: ${fileFault(error)}`, { cause: error });
  }
  if (text.startsWith('\uFEFF')) text = text.slice(1);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const { offset, expected } = findJsonFault(text) ?? { offset: text.length, expected: messageOf(error) };
    const before = text.slice(0, offset).split('\n');
    const line = before.length;
    const column = (before.at(-1)?.length ?? 0) + 1;
    const found = offset >= text.length ? 'the end of the file' : JSON.stringify(text[offset]);
    throw new MillraceError(
      'CONFIG_INVALID',
      `${path}:${line}:${column}: not valid JSON: ${found} found, ${expected} expected`,
      { details: { file: path, line, column, expected }, cause: error },
    );
  }
}
