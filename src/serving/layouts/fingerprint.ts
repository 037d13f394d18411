import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';

/** Files above this are compared by size and time of change, which reading them at each poll would cost too much for. */
const HASHED_BYTES = 16 * 2 ** 20;

/**
 * Hash over `parts` (what the configuration says, as JSON) and what is in `files`. A file that is missing counts as such,
 * so that its appearing changes the fingerprint.
 */
export async function fingerprintOf(parts: unknown, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(parts));
  for (const file of files)
    hash
      .update('\0')
      .update(file)
      .update('\0')
      .update(await contentKey(file));
  return hash.digest('hex');
}

async function contentKey(file: string): Promise<string> {
  try {
    const { size, mtimeMs } = await stat(file);
    if (size > HASHED_BYTES) return `${size} ${mtimeMs}`;
    return createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  } catch {
    return 'missing';
  }
}
