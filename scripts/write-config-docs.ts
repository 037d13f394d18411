/** Writes `docs/config.md` from the schemas: `npm run docs`. */
import { writeFile } from 'node:fs/promises';
import { configDocs } from '../src/cli/config-docs.ts';

await writeFile(new URL('../docs/config.md', import.meta.url), configDocs());
