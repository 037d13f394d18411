#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  const { main: run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2));
  // Should something still be open, it is nothing that matters; unreferenced, so that it keeps nothing waiting.
  setTimeout(() => process.exit(), 200).unref();
} else {
  process.stderr.write('millrace: not built yet; run `npm run setup` first\n');
  process.exitCode = 1;
}
