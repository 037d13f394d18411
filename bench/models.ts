/**
 * How near a served model comes to ONNX Runtime alone, and what dynamic batching makes of one that gains by it; in turn in one
 * run; writes its section of docs/performance.md.
 *   npm run bench:models                              5 rounds of 3 s
 *   npm run bench:models -- --rounds 3 --seconds 2 --dry   nothing is written
 */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { ROOT } from '../test/support/paths.ts';
import { buildLoadgen, measure, type Measured } from './loadgen.ts';
import { startMillrace, type Peer } from './peers.ts';
import { BATCHING_ACCOUNT, MODELS_ACCOUNT } from './models-account.ts';
import { writeSection } from './performance-page.ts';
import { median } from './statistics.ts';

const run = promisify(execFile);
const COLUMNS = 2048;
const MAX_BATCH = 32;
/** The last ones are two batches: one runs while the other's answers and requests are under way. */
const CLIENTS = [1, 4, 16, MAX_BATCH, 2 * MAX_BATCH] as const;
const DENSE = join(ROOT, 'bench/models/dense');
/** Takes some milliseconds of one core. */
const PALM = join(ROOT, 'models/holistic/palm_detection_full');
const PALM_SHAPE = '1,192,192,3';

interface Row {
  readonly clients: number;
  readonly without: readonly Measured[];
  readonly batching: readonly Measured[];
  /** Rows per second, of a batch as large as there are clients, or as a batch may be. */
  readonly bare: readonly number[];
}

const start = (name: string, folder: string, more: object): Promise<Peer> => {
  const model = { name, base_path: folder, instances: 1, ...more };
  return startMillrace(['--hosts', '1'], { model_config_list: [{ config: model }] });
};

/** Runs per second of ONNX Runtime alone. */
async function bareLoop(folder: string, shape: string, threads: number, seconds: number): Promise<number> {
  const args = [join(folder, '1/model.onnx'), shape, String(threads), String(seconds)];
  const { stdout } = await run(process.execPath, ['--import', 'tsx', join(ROOT, 'bench/bare-loop.ts'), ...args]);
  return Number(stdout);
}

/** A model of one thread: front and clients have the other core. Lines of the table, and the milliseconds of a run. */
async function measureReal(rounds: number, seconds: number): Promise<{ lines: string[]; runMs: number }> {
  await using server = await start('palm', PALM, { plugin_config: { INFERENCE_NUM_THREADS: 1 } });
  const lines: string[] = [];
  const loops: number[] = [];
  for (const clients of [1, 2, 4, 16]) {
    const flags = ['-c', String(clients), '-model', 'palm', '-input', 'input', '-shape', PALM_SHAPE];
    const served: Measured[] = [];
    const bare: number[] = [];
    for (let round = 0; round < rounds; round++) {
      served.push(await measure(server, flags, seconds));
      bare.push(await bareLoop(PALM, PALM_SHAPE, 1, seconds));
    }
    const [ours, loop] = [median(served.map((each) => each.req_per_s)), median(bare)];
    const p99 = median(served.map((each) => each.p99_us)) / 1000;
    loops.push(...bare);
    lines.push(
      `| ${[clients, ours.toFixed(1), loop.toFixed(1), (ours / loop).toFixed(2), p99.toFixed(1)].join(' | ')} |`,
    );
    console.log(lines.at(-1));
  }
  return { lines, runMs: 1000 / median(loops) };
}

async function measureBatching(rounds: number, seconds: number): Promise<Row[]> {
  await using without = await start('dense', DENSE, {});
  await using batching = await start('dense', DENSE, { batching: { max_batch_size: MAX_BATCH } });
  const rows: Row[] = [];
  for (const clients of CLIENTS) {
    const flags = ['-c', String(clients), '-model', 'dense', '-input', 'x', '-shape', `1,${COLUMNS}`];
    const row = { clients, without: [] as Measured[], batching: [] as Measured[], bare: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      row.without.push(await measure(without, flags, seconds));
      row.batching.push(await measure(batching, flags, seconds));
      const batch = Math.min(clients, MAX_BATCH);
      row.bare.push(batch * (await bareLoop(DENSE, `${batch},${COLUMNS}`, availableParallelism(), seconds)));
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
  const real = await measureReal(rounds, seconds);
  const lines = [
    '## Models beside ONNX Runtime alone',
    '',
    `The palm detection model of \`models/holistic\` (FP32 [${PALM_SHAPE}], 442 KB a request and 153 KB an answer, ${real.runMs.toFixed(1)} ms of one core), served with one thread, and in a loop with one thread; unary gRPC, by \`npm run bench:models\`, in turn, ${rounds} rounds of ${seconds} s, medians. Target: 0.95 of the loop.`,
    '',
    '| clients | served, requests/s | bare loop, runs/s | served ÷ loop | p99 ms |',
    '| ---: | ---: | ---: | ---: | ---: |',
    ...real.lines,
    '',
    ...MODELS_ACCOUNT,
    '',
    '## Dynamic batching',
    '',
    `A model of eight dense layers of 2048 × 2048 (one row reads all its weights for little arithmetic), by the same bench: unary gRPC requests of one row, without batching, with \`batching: {max_batch_size: ${MAX_BATCH}}\`, and ONNX Runtime alone in a loop, in batches of as many rows as there are clients (at most ${MAX_BATCH}) and with as many threads; in turn, ${rounds} rounds of ${seconds} s, medians. The clients use the same ${availableParallelism()} cores.`,
    '',
    '| clients | without, requests/s | batching, requests/s | bare loop, rows/s | batching ÷ loop | batching ÷ without | p99 ms |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...(await measureBatching(rounds, seconds)).map(toLine),
    '',
    ...BATCHING_ACCOUNT,
  ];
  console.log(lines.join('\n'));
  if (!options.dry) await writeSection('models', lines.join('\n'));
}

await main();
