import { open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf, MillraceError } from '../base/errors.ts';
import { fileFault } from '../base/file-fault.ts';
import { describeIssues, strictObject } from '../base/schema-issues.ts';
import { SCOPES } from './access.ts';

/** Each has series in the metrics. */
export const MAX_TOKENS = 10_000;

const limit = z.int().min(1).optional();

/** One token, as the file has it. */
export const tokenSchema = strictObject({
  name: z.string().regex(/^[A-Za-z0-9_.:@-]{1,64}$/, 'letters, digits, "_", ".", ":", "@" and "-" expected, 1 to 64'),
  id: z.string().regex(/^[0-9a-f]{12}$/, '12 hexadecimal digits expected'),
  hash: z.string().regex(/^sha256:[0-9a-f]{64}$/, '"sha256:" and 64 hexadecimal digits expected'),
  scopes: z.array(z.enum(SCOPES)).min(1),
  created: z.iso.datetime(),
  expires: z.iso.datetime().optional(),
  max_requests_in_flight: limit,
  max_sessions: limit,
  servables: z.array(z.string().min(1)).min(1).optional(),
});

export type TokenRecord = z.infer<typeof tokenSchema>;

const fileSchema = strictObject({ version: z.literal(1), tokens: z.array(tokenSchema).max(MAX_TOKENS) });

/** @throws MillraceError CONFIG_INVALID naming file, place and what was expected */
export async function readTokenFile(path: string): Promise<TokenRecord[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw invalid(path, `cannot be read: ${fileFault(error)}`, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The parser's message quotes the text, hashes included.
    throw invalid(path, 'no JSON', error);
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success) throw invalid(path, describeIssues(parsed.error, value), undefined);
  const { tokens } = parsed.data;
  for (const key of ['name', 'id'] as const) {
    const twice = tokens.find((token, i) => tokens.findIndex((other) => other[key] === token[key]) !== i);
    if (twice !== undefined) throw invalid(path, `two tokens have the ${key} "${twice[key]}"`, undefined);
  }
  return tokens;
}

/** As `readTokenFile`; a file that is not there has no tokens. */
export async function readTokensIfAny(path: string): Promise<TokenRecord[]> {
  try {
    return await readTokenFile(path);
  } catch (error) {
    const { cause } = error as Error;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Changes the file as a whole: a reader sees it before or after. A new one only its owner may read.
 * @param change of the tokens that it has; a file that is not there has none
 * @throws MillraceError CONFIG_INVALID where the file is no token file, or another command is changing it
 */
export async function changeTokenFile(
  path: string,
  change: (tokens: readonly TokenRecord[]) => readonly TokenRecord[],
): Promise<void> {
  const next = `${path}.new`;
  let file;
  try {
    file = await open(next, 'wx', 0o600);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw invalid(path, `another command is changing it; if none is, remove ${next}`, error);
    }
    throw invalid(path, `cannot be written: ${messageOf(error)}`, error);
  }
  try {
    const tokens = change(await readTokensIfAny(path));
    try {
      await keepOwner(file, path);
      await file.writeFile(`${JSON.stringify({ version: 1, tokens }, undefined, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(next, { force: true });
    throw error;
  }
}

/** As who may read the file was set before; the server may run as somebody else. */
async function keepOwner(file: FileHandle, path: string): Promise<void> {
  const before = await stat(path).catch(() => undefined);
  if (before === undefined) return;
  await file.chmod(before.mode & 0o777);
  // Only root may give files away; others keep what they wrote.
  await file.chown(before.uid, before.gid).catch(() => {});
}

function invalid(path: string, problem: string, cause: unknown): MillraceError {
  return new MillraceError('CONFIG_INVALID', `${path}: ${problem}`, { cause });
}
