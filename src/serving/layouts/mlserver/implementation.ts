import { stat } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { MillraceError } from '../../../base/errors.ts';
import { builtinRefusal } from './builtin-runtimes.ts';

/** Where `implementation` leads. */
export type Implementation =
  | { readonly kind: 'javascript'; readonly module: string; readonly export: string }
  | {
      readonly kind: 'python';
      /** Absolute, or a dotted name that Python is to find. */
      readonly module: string;
      readonly export: string;
      /** The file, where it is known. */
      readonly file: string | undefined;
    }
  | { readonly kind: 'onnx'; readonly path: string };

export interface ImplementationContext {
  /** Of the settings file. */
  readonly folder: string;
  /** Searched for dotted names, in this order; the first is `folder` (MLServer sheet §5). */
  readonly importPaths: readonly string[];
  /** The user has said which Python runs it, so a package without a file here is its own affair. */
  readonly hasPython: boolean;
}

const JAVASCRIPT = ['.ts', '.mts', '.js', '.mjs', '.cjs'];

/**
 * What an `implementation` names: a file relative to its folder (`./text-model.ts`, `./text-model.ts#Name`), or a dotted
 * path (`text_model.TextModel`), which is a Python file, else a TypeScript or JavaScript one, else Python's to find.
 * @throws MillraceError CONFIG_INVALID, the message without the field's name
 */
export async function findImplementation(given: string, context: ImplementationContext): Promise<Implementation> {
  const [path = '', named] = given.split('#');
  const extension = extname(path);
  if (/^\.{0,2}\//.test(path) || extension === '.onnx' || [...JAVASCRIPT, '.py'].includes(extension)) {
    return fileImplementation(given, resolve(context.folder, path), named);
  }
  return dottedImplementation(given, context);
}

async function fileImplementation(given: string, path: string, named: string | undefined): Promise<Implementation> {
  if (!(await isFile(path))) throw invalid(`"${given}" given, and there is no file ${path}`);
  const extension = extname(path);
  if (extension === '.onnx') return { kind: 'onnx', path };
  if (JAVASCRIPT.includes(extension)) return { kind: 'javascript', module: path, export: named ?? 'default' };
  if (extension !== '.py') {
    throw invalid(`"${given}" given, a file that ends in ${[...JAVASCRIPT, '.py', '.onnx'].join(', ')} expected`);
  }
  if (named === undefined)
    throw invalid(`"${given}" given, "${given}#ClassName" expected: a Python file needs its class`);
  return { kind: 'python', module: path, export: named, file: path };
}

async function dottedImplementation(given: string, context: ImplementationContext): Promise<Implementation> {
  if (!/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$/.test(given)) {
    throw invalid(`"${given}" given, a class's path as "text_model.TextModel" or a file as "./text-model.ts" expected`);
  }
  const parts = given.split('.');
  const exported = parts.pop() ?? '';
  for (const root of context.importPaths) {
    const base = join(root, ...parts);
    for (const file of [`${base}.py`, join(base, '__init__.py')]) {
      if (!(await isFile(file))) continue;
      // In a package, imports relative to it need its name.
      const isPackage = parts.length > 1 || file.endsWith('__init__.py');
      return { kind: 'python', module: isPackage ? parts.join('.') : file, export: exported, file };
    }
    for (const extension of JAVASCRIPT) {
      const module = `${base}${extension}`;
      if (await isFile(module)) return { kind: 'javascript', module, export: exported };
    }
  }
  const refusal = context.hasPython ? undefined : builtinRefusal(given);
  if (refusal !== undefined) throw invalid(refusal);
  return { kind: 'python', module: parts.join('.'), export: exported, file: undefined };
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
