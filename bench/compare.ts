/**
 * Puts the requests of test/conformance/triton to a live Triton and records its answers there.
 *   npm run compare              record
 *   npm run compare -- --check   only say which recorded answers this Triton would give differently
 *   npm run compare -- --perf-analyzer [--only NAME]   Triton's own load generator in its modes against both, see perf-analyzer.ts
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import type { Answer } from '../test/conformance/triton/case.ts';
import { difference } from '../test/conformance/triton/compare.ts';
import { toExchanges } from '../test/conformance/triton/encode.ts';
import { Exchanger } from '../test/conformance/triton/exchange.ts';
import { CASES } from '../test/conformance/triton/requests.ts';
import { SharedObject } from '../test/conformance/triton/shared-object.ts';
import { startTriton } from './peers.ts';
import { runPerfAnalyzer } from './perf-analyzer.ts';

const ANSWERS = new URL('../test/conformance/triton/answers.json', import.meta.url);

async function compareAnswers(isCheck: boolean): Promise<void> {
  using _object = new SharedObject();
  await using triton = await startTriton();
  using exchanger = new Exchanger(triton.grpcAddress, triton.restUrl);
  const answers: Record<string, Answer> = {};
  const exchanges = toExchanges(CASES);
  for (const exchange of exchanges) answers[exchange.key] = await exchanger.put(exchange);

  if (isCheck) {
    const recorded = JSON.parse(await readFile(ANSWERS, 'utf8')) as Record<string, Answer>;
    for (const { key, compare } of exchanges) {
      const [before, now] = [recorded[key], answers[key]];
      if (before === undefined || now === undefined || difference(before, now, compare) !== undefined) {
        console.log(`${key}\n  recorded ${JSON.stringify(before)}\n  now      ${JSON.stringify(now)}`);
        process.exitCode = 1;
      }
    }
  } else {
    await writeFile(ANSWERS, await format(JSON.stringify(answers), { parser: 'json', printWidth: 120 }));
  }
  console.log(`${exchanges.length} exchanges with ${triton.name}`);
}

const { values: flags } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    'perf-analyzer': { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
if (flags['perf-analyzer']) await runPerfAnalyzer(flags.only);
else await compareAnswers(flags.check);
