/**
 * Puts the same loads to our server and to the peers, and writes docs/performance.md.
 *   npm run bench                               quick: 3 rounds of 3 s
 *   npm run bench -- --only unary,rest          these loads only; nothing is written
 *   npm run bench -- --rounds 5 --seconds 10
 *   npm run bench -- --without millrace         the peers only; nothing is written
 */
import { parseArgs } from 'node:util';
import { buildLoadgen, measure, type Measured } from './loadgen.ts';
import { LOADS, type Load, type LoadFlags, type PeerName } from './loads.ts';
import { startMillrace, startMlserver, startTriton, type Peer } from './peers.ts';
import { measureByPerfAnalyzer } from './perf-analyzer-load.ts';
import { writeSection } from './performance-page.ts';
import { loadRows, spread, toMarkdown, type LoadReport, type Result } from './report.ts';
import { measureResponsiveness } from './responsiveness.ts';

const PEER_STARTERS: Record<PeerName, () => Promise<Peer>> = { triton: () => startTriton(), mlserver: startMlserver };

/** A server of one load, and what is measured of it. */
interface Entrant {
  readonly peer: PeerName | undefined;
  readonly informative: boolean;
  readonly flags: LoadFlags;
  start(): Promise<Peer>;
}

function entrants(load: Load, without: ReadonlySet<string>): Entrant[] {
  const ours = (informative: boolean, flags: readonly string[]): Entrant => ({
    peer: undefined,
    informative,
    flags: load.ours,
    start: () => startMillrace([...(load.flags ?? []), ...flags], load.config),
  });
  const all: Entrant[] = without.has('millrace') ? [] : [ours(false, [])];
  if (load.alsoWithoutHosts === true && !without.has('millrace')) all.push(ours(true, ['--hosts', '0']));
  for (const name of ['triton', 'mlserver'] as const) {
    const flags = load.peers[name];
    if (flags === undefined || without.has(name)) continue;
    all.push({ peer: name, informative: false, flags, start: PEER_STARTERS[name] });
  }
  return all;
}

/** Starts every server of a load, and measures them in turn, round by round. */
async function runLoad(load: Load, without: ReadonlySet<string>, rounds: number, seconds: number): Promise<LoadReport> {
  await using stack = new AsyncStack();
  const running: { entrant: Entrant; server: Peer; measured: Measured[] }[] = [];
  for (const entrant of entrants(load, without)) {
    running.push({ entrant, server: stack.use(await entrant.start()), measured: [] });
  }
  const measureWith = load.tool === 'perf_analyzer' ? measureByPerfAnalyzer : measure;
  for (let round = 0; round < rounds; round++) {
    for (const { server, entrant, measured } of running) {
      measured.push(await measureWith(server, entrant.flags, seconds));
    }
  }
  const results = running.map(({ entrant: { peer, informative }, server, measured }): Result => ({
    server: server.name,
    peer,
    informative,
    rounds: measured,
  }));
  return { load, results };
}

/** `AsyncDisposableStack`, which Node 20 lacks. */
class AsyncStack implements AsyncDisposable {
  readonly #opened: AsyncDisposable[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.#opened.push(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#opened.toReversed()) await resource[Symbol.asyncDispose]();
  }
}

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    without: { type: 'string', default: '' },
  },
});

async function main(): Promise<void> {
  const only = options.only?.split(',');
  const without = new Set(options.without.split(',').filter((name) => name !== ''));
  const ids = [...LOADS.map(({ id }) => id), 'live'];
  const unknown = only?.filter((id) => !ids.includes(id)) ?? [];
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: one or more of ${ids.join(', ')} expected`);
  const [seconds, rounds] = [Number(options.seconds), Number(options.rounds)];

  const go = await buildLoadgen();
  const reports: LoadReport[] = [];
  for (const load of LOADS.filter(({ id }) => only?.includes(id) ?? true)) {
    const report = await runLoad(load, without, rounds, seconds);
    reports.push(report);
    console.log(loadRows(report).join('\n'));
    console.log(report.results.map((result) => `  ${result.server}: ${spread(result)} per request`).join('\n'));
  }
  const responsive = !without.has('millrace') && (only?.includes('live') ?? true);
  const page = toMarkdown(reports, responsive ? await measureResponsiveness(seconds * rounds) : undefined, {
    seconds,
    rounds,
    go,
  });
  console.log(page);
  if (only === undefined && without.size === 0) await writeSection('servers', page);
}

await main();
