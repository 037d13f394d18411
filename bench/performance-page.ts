import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format } from 'prettier';
import { ROOT } from '../test/support/paths.ts';

const PAGE = join(ROOT, 'docs/performance.md');

/** Parts of docs/performance.md, each made by a bench of its own, in the order in which they stand there. */
const SECTIONS = [
  'servers',
  'runtimes',
  'models',
  'pipelines',
  'vision',
  'holistic',
  'stream-client',
  'perf-analyzer',
] as const;
type Section = (typeof SECTIONS)[number];

/** Puts a part in the place of the one before, and leaves the others. */
export async function writeSection(section: Section, text: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8').catch(() => '');
  const parts = SECTIONS.map((name) => (name === section ? mark(name, text) : (found(page, name) ?? '')));
  await writeFile(PAGE, await format(parts.join('\n'), { parser: 'markdown', proseWrap: 'preserve' }));
}

function found(page: string, section: Section): string | undefined {
  return new RegExp(`<!-- ${section} -->[^]*?<!-- /${section} -->\n`).exec(page)?.[0];
}

function mark(section: Section, text: string): string {
  return `<!-- ${section} -->\n\n${text}\n\n<!-- /${section} -->\n`;
}
