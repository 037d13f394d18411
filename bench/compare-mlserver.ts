/**
 * Puts the cases of test/conformance/mlserver to a live MLServer and records its answers there.
 *   npm run compare:mlserver              record
 *   npm run compare:mlserver -- --check   only say which recorded answers this MLServer would give differently
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import { CASES } from '../test/conformance/mlserver/cases.ts';
import { isSame } from '../test/conformance/mlserver/compare.ts';
import { Exchanger, type Answer } from '../test/conformance/mlserver/exchange.ts';
import { ROOT } from '../test/support/paths.ts';
import { startMlserverOn } from './peers.ts';

const FOLDER = join(ROOT, 'test/conformance/mlserver');
const ANSWERS = join(FOLDER, 'answers.json');

const { values: flags } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
await using mlserver = await startMlserverOn(join(FOLDER, 'models'));
using exchanger = new Exchanger(mlserver.grpcAddress, mlserver.restUrl);
const answers: Record<string, Answer> = {};
for (const item of CASES) answers[item.name] = await exchanger.put(item);

if (flags.check) {
  const recorded = JSON.parse(await readFile(ANSWERS, 'utf8')) as Record<string, Answer>;
  for (const { name } of CASES) {
    const [before, now] = [recorded[name], answers[name]];
    if (before === undefined || now === undefined || !isSame(before, now)) {
      console.log(`${name}\n  recorded ${JSON.stringify(before)}\n  now      ${JSON.stringify(now)}`);
      process.exitCode = 1;
    }
  }
} else {
  await writeFile(ANSWERS, await format(JSON.stringify(answers), { parser: 'json', printWidth: 120 }));
}
console.log(`${CASES.length} exchanges with ${mlserver.name}`);
