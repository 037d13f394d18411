/**
 * Triton's own load generator against our server, in every mode that it has: does each run, and what does it measure. Its figures
 * are for these tiny models with short windows on whatever machine this is; the comparison with others is in the other sections.
 *   npm run bench -- --perf-analyzer                all modes; writes its section of docs/performance.md
 *   npm run bench -- --perf-analyzer --only NAME    modes whose names have NAME in them; nothing is written
 */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TestAuthority } from '../test/support/certificates.ts';
import { ROOT } from '../test/support/paths.ts';
import { ScratchFolder } from '../test/support/scratch-folder.ts';
import { startServer } from '../test/support/start-server.ts';
import { modes, writeRepository, type Mode } from './perf-analyzer-modes.ts';
import { writeSection } from './performance-page.ts';

const BINARY = join(ROOT, '../shared/peers/perf_analyzer/perf_analyzer');
/** Windows of 0.5 s that need not agree: on a busy machine they never do. */
const WINDOWS = ['-p', '500', '-s', '999', '-r', '10', '--max-threads', '4'];
const LONGEST_MS = 120_000;

interface Outcome {
  readonly mode: Mode;
  /** Undefined where it ran. */
  readonly fault: string | undefined;
  readonly perSecond: string;
  readonly latencyMs: string;
}

/** Runs all modes, prints a table of them and, where none was left out, writes it. @throws Error where one failed */
export async function runPerfAnalyzer(only?: string): Promise<void> {
  await using scratch = await ScratchFolder.create();
  const repository = await writeRepository(scratch);
  const authority = await TestAuthority.create(scratch.path);
  const { cert, key } = await authority.issue('server');
  const tls = { ca: await readFile(authority.path) };
  const flags = ['--model_repository', repository, '--hosts', '2', '--strict'];
  await using open = await startServer({ flags: [...flags, '--shared_memory'] });
  await using secured = await startServer({ flags: [...flags, '--tls_cert', cert, '--tls_key', key], tls });
  const doors: Record<Mode['door'], readonly string[]> = {
    grpc: ['-i', 'grpc', '-u', open.grpcAddress],
    http: ['-i', 'http', '-u', new URL(open.restUrl).host],
    'grpc-tls': ['-i', 'grpc', '-u', secured.grpcAddress],
    'http-tls': ['-i', 'http', '-u', secured.restUrl],
  };
  const csv = join(scratch.path, 'latest.csv');
  const outcomes: Outcome[] = [];
  for (const mode of await modes(scratch, authority.path)) {
    if (only !== undefined && !mode.name.includes(only)) continue;
    await rm(csv, { force: true });
    const outcome = await runMode(mode, [...doors[mode.door], ...WINDOWS, '-f', csv, '--verbose-csv'], csv);
    console.log(`${outcome.fault ?? 'ok'}: ${mode.name}: ${outcome.perSecond} infer/s, ${outcome.latencyMs} ms`);
    outcomes.push(outcome);
  }
  const page = toMarkdown(outcomes);
  console.log(page);
  if (only === undefined) await writeSection('perf-analyzer', page);
  const failed = outcomes.filter(({ fault }) => fault !== undefined);
  if (failed.length > 0) throw new Error(`${failed.length} of ${outcomes.length} modes failed`);
}

async function runMode(mode: Mode, flags: readonly string[], csv: string): Promise<Outcome> {
  const { code, output } = await run([...mode.args, ...flags]);
  const measured = await lastRow(csv);
  // It exits with 0 where some requests failed, too, and says so.
  const errors = /^Thread .*error: .*$/m.exec(output)?.[0] ?? /^.*(?:error|failed).*$/im.exec(output)?.[0];
  const fault = code === 0 && errors === undefined ? undefined : (errors ?? `exit code ${code}`);
  // With --periodic-concurrency-range there is no table: what it exported is what it has.
  const perSecond = measured.get('Inferences/Second');
  const latency = Number(measured.get('Avg latency'));
  return {
    mode,
    fault,
    perSecond: perSecond === undefined ? '' : Number(perSecond).toFixed(0),
    latencyMs: Number.isFinite(latency) ? (latency / 1000).toFixed(2) : '',
  };
}

/** All of its output; it writes progress and errors to both streams. */
function run(args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(BINARY, args, { timeout: LONGEST_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: `${stdout}\n${stderr}` });
    });
  });
}

/** The last level of load in the CSV that it wrote, by the titles of the columns. */
async function lastRow(csv: string): Promise<Map<string, string>> {
  const lines = (await readFile(csv, 'utf8').catch(() => '')).split('\n').filter((line) => line.includes(','));
  const [titles = [], values = []] = [lines[0]?.split(','), lines.at(-1)?.split(',')];
  return new Map(titles.map((title, i) => [title, values[i] ?? '']));
}

function toMarkdown(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(
    ({ mode, fault, perSecond, latencyMs }) =>
      `| ${mode.name} | ${fault?.replaceAll('|', '/') ?? 'runs'} | ${perSecond} | ${latencyMs} |`,
  );
  return [
    '## perf_analyzer',
    '',
    'Triton’s load generator, version 2.51, unmodified, by `npm run bench -- --perf-analyzer`: whether each of its modes runs against',
    'Millrace. The models are tiny and the windows short, so the figures say little more than that; they are of the last level',
    'of load. Not among them: `--shared-memory cuda`, which needs a GPU on the client’s side and is refused here. With JSON it sends',
    'the first element only of a tensor that has more; Triton refuses that, too.',
    '',
    '| mode | | infer/s | average latency, ms |',
    '|---|---|---:|---:|',
    ...rows,
  ].join('\n');
}
