/**
 * What dynamic batching makes of a model that gains by it, beside ONNX Runtime alone with the same batch, in turn in one run;
 * writes its section of docs/performance.md.
 *   npm run bench:batching                              5 rounds of 3 s
 *   npm run bench:batching -- --rounds 3 --seconds 2 --dry   nothing is written
 */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { ROOT } from '../test/support/paths.ts';
import { buildLoadgen, measure, type Measured } from './loadgen.ts';
import { startMillrace, type Peer } from './peers.ts';
import { writeSection } from './performance-page.ts';
import { median } from './statistics.ts';

const run = promisify(execFile);
const MODEL = join(ROOT, 'bench/models/dense/1/model.onnx');
const COLUMNS = 2048;
const CLIENTS = [1, 4, 16, 32] as const;
const MAX_BATCH = 32;

interface Row {
  readonly clients: number;
  readonly without: readonly Measured[];
  readonly batching: readonly Measured[];
  /** Rows per second, of a batch as large as there are clients. */
  readonly bare: readonly number[];
}

const start = (batching?: object): Promise<Peer> => {
  const model = { name: 'dense', base_path: join(ROOT, 'bench/models/dense'), instances: 1, batching };
  return startMillrace(['--hosts', '1'], { model_config_list: [{ config: model }] });
};

async function bareLoop(rows: number, seconds: number): Promise<number> {
  const args = [MODEL, rows, COLUMNS, availableParallelism(), seconds].map(String);
  const { stdout } = await run(process.execPath, ['--import', 'tsx', join(ROOT, 'bench/bare-loop.ts'), ...args]);
  return Number(stdout);
}

async function measureAll(rounds: number, seconds: number): Promise<Row[]> {
  await using without = await start();
  await using batching = await start({ max_batch_size: MAX_BATCH });
  const rows: Row[] = [];
  for (const clients of CLIENTS) {
    const flags = ['-c', String(clients), '-model', 'dense', '-input', 'x', '-shape', `1,${COLUMNS}`];
    const row = { clients, without: [] as Measured[], batching: [] as Measured[], bare: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      row.without.push(await measure(without, flags, seconds));
      row.batching.push(await measure(batching, flags, seconds));
      row.bare.push(await bareLoop(clients, seconds));
    }
    rows.push(row);
    console.log(toLine(row));
  }
  return rows;
}

function toLine({ clients, without, batching, bare }: Row): string {
  const perSecond = (all: readonly Measured[]): number => median(all.map((each) => each.req_per_s));
  const p99 = median(batching.map((each) => each.p99_us)) / 1000;
  const [alone, joined, loop] = [perSecond(without), perSecond(batching), median(bare)];
  const cells = [clients, alone.toFixed(0), joined.toFixed(0), loop.toFixed(0), (joined / loop).toFixed(2)];
  return `| ${[...cells, (joined / alone).toFixed(1), p99.toFixed(1)].join(' | ')} |`;
}

async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '5' },
      dry: { type: 'boolean', default: false },
    },
  });
  const [seconds, rounds] = [Number(options.seconds), Number(options.rounds)];
  await buildLoadgen();
  const lines = [
    '## Dynamic batching',
    '',
    `A model of eight dense layers of 2048 × 2048 (one row reads all its weights for little arithmetic), by \`npm run bench:batching\`: unary gRPC requests of one row, without batching, with \`batching: {max_batch_size: ${MAX_BATCH}}\`, and ONNX Runtime alone in a loop, in batches of as many rows as there are clients and with as many threads; in turn, ${rounds} rounds of ${seconds} s, medians. The clients use the same ${availableParallelism()} cores.`,
    '',
    '| clients | without, requests/s | batching, requests/s | bare loop, rows/s | batching ÷ loop | batching ÷ without | p99 ms |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...(await measureAll(rounds, seconds)).map(toLine),
  ];
  console.log(lines.join('\n'));
  if (!options.dry) await writeSection('batching', lines.join('\n'));
}

await main();
