/**
 * Triton's own load generator against our server and Triton, in every mode that it has: does each run, and what does it measure. Its figures
 * are for these tiny models with short windows on whatever machine this is; the comparison with others is in the other sections.
 *   npm run compare -- --perf-analyzer                all modes; writes its section of docs/performance.md
 *   npm run compare -- --perf-analyzer --only NAME    modes whose names have NAME in them; nothing is written
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TestAuthority } from '../test/support/certificates.ts';
import { ScratchFolder } from '../test/support/scratch-folder.ts';
import { startServer } from '../test/support/start-server.ts';
import { faultOf, lastRow, runBinary } from './perf-analyzer-binary.ts';
import { modes, writeRepository, writeTritonRepository, type Mode } from './perf-analyzer-modes.ts';
import { startTriton } from './peers.ts';
import { writeSection } from './performance-page.ts';

/** Windows of 0.5 s that need not agree: on a busy machine they never do. */
const WINDOWS = ['-p', '500', '-s', '999', '-r', '10', '--max-threads', '4'];

interface Outcome {
  /** Undefined where it ran. */
  readonly fault: string | undefined;
  readonly perSecond: string;
  readonly latencyMs: string;
}

interface Row {
  readonly mode: Mode;
  readonly ours: Outcome;
  /** Undefined where Triton has no such door or model. */
  readonly triton: Outcome | undefined;
}

type Doors = Readonly<Partial<Record<Mode['door'], readonly string[]>>>;

/**
 * Runs all modes against both servers, prints a table of them and, where none was left out, writes it.
 * @throws Error where one failed against ours
 */
export async function runPerfAnalyzer(only?: string): Promise<void> {
  await using scratch = await ScratchFolder.create();
  const authority = await TestAuthority.create(scratch.path);
  const wanted = (await modes(scratch, authority.path)).filter(({ name }) => only === undefined || name.includes(only));
  const ours = await runOurs(wanted, scratch, authority);
  const triton = await runTriton(wanted, scratch);
  const rows = wanted.map((mode): Row => ({ mode, ours: ours.get(mode) as Outcome, triton: triton.get(mode) }));
  const page = toMarkdown(rows);
  console.log(page);
  if (only === undefined) await writeSection('perf-analyzer', page);
  const failed = rows.filter((row) => row.ours.fault !== undefined);
  if (failed.length > 0) throw new Error(`${failed.length} of ${rows.length} modes failed`);
}

async function runOurs(
  wanted: readonly Mode[],
  scratch: ScratchFolder,
  authority: TestAuthority,
): Promise<Map<Mode, Outcome>> {
  const repository = await writeRepository(scratch);
  const { cert, key } = await authority.issue('server');
  const tls = { ca: await readFile(authority.path) };
  const flags = ['--model_repository', repository, '--hosts', '2', '--strict'];
  await using open = await startServer({ flags: [...flags, '--shared_memory'] });
  await using secured = await startServer({ flags: [...flags, '--tls_cert', cert, '--tls_key', key], tls });
  return await runAll('Millrace', wanted, scratch, {
    grpc: ['-i', 'grpc', '-u', open.grpcAddress],
    http: ['-i', 'http', '-u', new URL(open.restUrl).host],
    'grpc-tls': ['-i', 'grpc', '-u', secured.grpcAddress],
    'http-tls': ['-i', 'http', '-u', secured.restUrl],
  });
}

async function runTriton(wanted: readonly Mode[], scratch: ScratchFolder): Promise<Map<Mode, Outcome>> {
  const repository = await writeTritonRepository(scratch);
  await using triton = await startTriton([`--model-repository=${repository}`]);
  const possible = wanted.filter(({ onlyOurs }) => onlyOurs !== true);
  return await runAll(triton.name, possible, scratch, {
    grpc: ['-i', 'grpc', '-u', triton.grpcAddress],
    http: ['-i', 'http', '-u', new URL(triton.restUrl).host],
  });
}

async function runAll(
  server: string,
  wanted: readonly Mode[],
  scratch: ScratchFolder,
  doors: Doors,
): Promise<Map<Mode, Outcome>> {
  const outcomes = new Map<Mode, Outcome>();
  for (const mode of wanted) {
    const door = doors[mode.door];
    if (door === undefined) continue;
    const outcome = await runMode(mode, door, join(scratch.path, 'latest.csv'));
    const { fault, perSecond, latencyMs } = outcome;
    console.log(`${server}: ${mode.name}: ${fault ?? 'ok'}: ${perSecond} infer/s, ${latencyMs} ms`);
    outcomes.set(mode, outcome);
  }
  return outcomes;
}

/** @param csv where it writes; what was there before goes */
async function runMode(mode: Mode, door: readonly string[], csv: string): Promise<Outcome> {
  for (const file of [csv, mode.writes ?? csv]) await rm(file, { force: true });
  const fault = faultOf(await runBinary([...mode.args, ...door, ...WINDOWS, '-f', csv, '--verbose-csv']));
  const measured = await lastRow(csv);
  // With --periodic-concurrency-range there is no table: what it exported is what it has.
  const perSecond = measured.get('Inferences/Second');
  const latency = Number(measured.get('Avg latency'));
  return {
    fault,
    perSecond: perSecond === undefined ? '' : Number(perSecond).toFixed(0),
    latencyMs: Number.isFinite(latency) ? (latency / 1000).toFixed(2) : '',
  };
}

function toMarkdown(rows: readonly Row[]): string {
  const cells = ({ fault, perSecond, latencyMs }: Outcome): string =>
    `${fault?.replaceAll('|', '/') ?? 'runs'} | ${perSecond} | ${latencyMs}`;
  const lines = rows.map(
    ({ mode, ours, triton }) =>
      `| ${mode.name} | ${cells(ours)} | ${triton === undefined ? '– | | ' : cells(triton)} |`,
  );
  return [
    '## perf_analyzer',
    '',
    'Triton’s load generator, version 2.51, unmodified, by `npm run compare -- --perf-analyzer`: whether each of its modes runs against',
    'Millrace and against Triton 2.51 with models of the same names, inputs and configuration (Millrace’s are ONNX models, Triton’s',
    'are of its Python backend). The models are tiny and the windows short (0.5 s), the servers were measured one after the other,',
    'and the generator has the same cores as the server: the figures, of the last level of load, say that a mode works and roughly what',
    'it costs. What compares the servers is the first section. “–”: that Triton has no TLS here and no graphs. Not among the modes:',
    '`--shared-memory cuda`, which needs a GPU on the client’s side and is refused here. With JSON it sends the first element only of',
    'a tensor that has more; both servers refuse that.',
    '',
    '| mode | Millrace | infer/s | average latency, ms | Triton | infer/s | average latency, ms |',
    '|---|---|---:|---:|---|---:|---:|',
    ...lines,
  ].join('\n');
}
