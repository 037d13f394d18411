import { readFile } from 'node:fs/promises';
import { compiler } from './compiler.ts';

/** The parts of esbuild's failure that are used. */
interface CompilerFailure {
  readonly errors?: readonly { readonly text: string; readonly location: { readonly line: number } | null }[];
}

/**
 * The fault with its line, which Node does not give, where `error` is about the syntax of the JavaScript file `path` itself;
 * else `error` as it is.
 */
export async function withLine(error: unknown, path: string): Promise<unknown> {
  if (!(error instanceof SyntaxError) || !/\.[cm]?js$/.test(path)) return error;
  try {
    compiler().transformSync(await readFile(path, 'utf8'), { loader: 'js', logLevel: 'silent' });
  } catch (failure) {
    const first = (failure as CompilerFailure).errors?.[0];
    if (first !== undefined) {
      return new SyntaxError(`line ${first.location?.line ?? 1}: ${first.text}`, { cause: error });
    }
  }
  return error;
}
