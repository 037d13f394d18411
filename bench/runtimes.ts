/**
 * Users' runtimes beside the live MLServer, the same loads in the same run; writes its section of docs/performance.md.
 *   npm run bench:runtimes                        3 rounds of 3 s
 *   npm run bench:runtimes -- --only words-sse    these parts only; nothing is written
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { ROOT } from '../test/support/paths.ts';
import { buildLoadgen, measure, type Measured } from './loadgen.ts';
import type { Peer } from './peers.ts';
import { writeSection } from './performance-page.ts';
import { RUNTIME_LOADS, type RuntimeLoad } from './runtime-loads.ts';
import { crowdTable, loadTable, scalingLines, type Crowd, type LoadRow } from './runtime-report.ts';
import { MLSERVER, PEER_PYTHON, PYTHON_OWN, PYTHON_SHIM, TYPESCRIPT, type RuntimeServer } from './runtime-servers.ts';

const run = promisify(execFile);
const SERVERS = [MLSERVER, TYPESCRIPT, PYTHON_OWN, PYTHON_SHIM];
/** The peer's own client for what the load generator does not measure: first responses, and a thousand streams. */
const CLIENT = join(ROOT, '../shared/peers/mlserver/tools/bench.py');

/** All servers in turn, round by round. */
async function runLoad(load: RuntimeLoad, rounds: number, seconds: number): Promise<LoadRow[]> {
  const running: { server: RuntimeServer; peer: Peer; measured: Measured[] }[] = [];
  try {
    for (const server of SERVERS) running.push({ server, peer: await server.start(), measured: [] });
    for (let round = 0; round < rounds; round++) {
      for (const { peer, measured } of running) measured.push(await measure(peer, load.flags, seconds));
    }
  } finally {
    for (const { peer } of running.toReversed()) await peer[Symbol.asyncDispose]();
  }
  return running.map(({ server, measured }) => ({ load, server: server.name, measured }));
}

/** What the peer's client prints of one run. */
async function runClient(peer: Peer, args: readonly string[]): Promise<Crowd['figures']> {
  const target = ['--grpc', peer.grpcAddress, '--http', new URL(peer.restUrl).host, '--pid', String(peer.pid)];
  const { stdout } = await run(PEER_PYTHON, [CLIENT, ...args, ...target, '--repeat', '1']);
  return JSON.parse(stdout) as Crowd['figures'];
}

/** First responses of streams that come alone, then a thousand streams at once: paced ones, and ones that are not. */
async function runCrowds(): Promise<Crowd[]> {
  const crowds: Crowd[] = [];
  for (const server of SERVERS) {
    for (const proto of ['grpc', 'rest']) {
      await using peer = await server.start();
      const alone = ['stream', '--conc', '1', '--tokens', '20', '--secs', '3', '--warm', '2'];
      const paced = ['flood', '--streams', '1000', '--tokens', '20', '--delay', '0.25'];
      const unpaced = ['flood', '--streams', '1000', '--tokens', '100'];
      for (const [kind, args] of [
        ['alone', alone],
        ['paced', paced],
        ['unpaced', unpaced],
      ] as const) {
        const figures = await runClient(peer, [...args, '--proto', proto]);
        crowds.push({ kind, proto, server: server.name, figures });
        console.log(kind, proto, server.name, JSON.stringify(figures));
      }
    }
  }
  return crowds;
}

/** Requests per second of a model that needs all of a core, with one worker and with two. */
async function runScaling(seconds: number): Promise<number[]> {
  const perSecond: number[] = [];
  for (const workers of [1, 2]) {
    await using peer = await PYTHON_OWN.start(workers);
    const flags = ['-c', '8', '-model', 'spin', '-input', 'x', '-shape', '1'];
    perSecond.push((await measure(peer, flags, seconds)).req_per_s);
  }
  return perSecond;
}

async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string' },
    },
  });
  const only = options.only?.split(',');
  const ids = [...RUNTIME_LOADS.map(({ id }) => id), 'crowds', 'scaling'];
  const unknown = only?.filter((id) => !ids.includes(id)) ?? [];
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: one or more of ${ids.join(', ')} expected`);
  const isOn = (id: string): boolean => only?.includes(id) ?? true;
  const [seconds, rounds] = [Number(options.seconds), Number(options.rounds)];

  await buildLoadgen();
  const lines = [
    '## Runtimes',
    '',
    `Users’ runtimes beside MLServer, by \`npm run bench:runtimes\`: the same requests to all servers in one run, ${rounds} rounds of ${seconds} s, medians; each server has one worker (MLServer: none beside itself, as its streams need). Ratios are to MLServer’s CPU time per response, or requests per second.`,
    '',
  ];
  const rows: LoadRow[] = [];
  for (const load of RUNTIME_LOADS) if (isOn(load.id)) rows.push(...(await runLoad(load, rounds, seconds)));
  if (rows.length > 0) lines.push(...loadTable(rows));
  if (isOn('crowds')) lines.push(...crowdTable(await runCrowds()));
  if (isOn('scaling')) lines.push(...scalingLines(await runScaling(seconds * rounds)));
  console.log(lines.join('\n'));
  if (only === undefined) await writeSection('runtimes', lines.join('\n'));
}

await main();
