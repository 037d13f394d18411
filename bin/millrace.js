#!/usr/bin/env node
import { existsSync } from 'node:fs';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const main = new URL('../dist/cli/main.js', import.meta.url);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`millrace: Node.js 20.19 or newer expected, this is ${process.versions.node}\n`);
  process.exitCode = 1;
} else if (!existsSync(main)) {
  process.stderr.write('millrace: not built yet; run `npm run setup` first\n');
  process.exitCode = 1;
} else {
  const { main: run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2));
  // Should something still be open, it is nothing that matters; unreferenced, so that it keeps nothing waiting.
  setTimeout(() => process.exit(), 200).unref();
}
