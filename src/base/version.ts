import { readFile } from 'node:fs/promises';

/** The version in package.json, as the server and the command report it. */
export async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
