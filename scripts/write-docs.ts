/** Writes what `docs/` says about the schemas and the calculators: `npm run docs`. */
import { writeFile } from 'node:fs/promises';
import { configDocs } from '../src/cli/config-docs.ts';
import { mlserverDocs } from '../src/cli/start-docs.ts';
import { calculatorDocs } from './calculator-docs.ts';

await writeFile(new URL('../docs/config.md', import.meta.url), configDocs());
await writeFile(new URL('../docs/mlserver.md', import.meta.url), mlserverDocs());
await writeFile(new URL('../docs/calculators.md', import.meta.url), calculatorDocs());
