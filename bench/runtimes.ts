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

/** One stream at a time, for five seconds. */
const ALONE = ['stream', '--conc', '1', '--tokens', '20', '--secs', '3', '--warm', '2'];

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

/** The first response of streams that come alone: the round in which it came soonest, all servers in turn. */
async function runAlone(rounds: number): Promise<Crowd[]> {
  const peers: Peer[] = [];
  const best = new Map<string, Crowd>();
  try {
    for (const server of SERVERS) peers.push(await server.start());
    for (const proto of ['grpc', 'rest']) {
      const args = [...ALONE, '--proto', proto];
      for (let round = 0; round < rounds; round++) {
        for (const peer of peers) {
          const crowd: Crowd = { kind: 'alone', proto, server: peer.name, figures: await runClient(peer, args) };
          const before = best.get(`${proto} ${peer.name}`);
          if (before !== undefined && before.figures.ttft_p50_ms <= crowd.figures.ttft_p50_ms) continue;
          best.set(`${proto} ${peer.name}`, crowd);
        }
      }
    }
  } finally {
    for (const peer of peers.toReversed()) await peer[Symbol.asyncDispose]();
  }
  return [...best.values()];
}

/** A thousand streams at once: paced ones, then ones that are not. */
async function runCrowds(): Promise<Crowd[]> {
  const crowds: Crowd[] = [];
  for (const server of SERVERS) {
    for (const proto of ['grpc', 'rest']) {
      await using peer = await server.start();
      const paced = ['flood', '--streams', '1000', '--tokens', '20', '--delay', '0.25'];
      const unpaced = ['flood', '--streams', '1000', '--tokens', '100'];
      // What a server needs once, its code compiled and its heap grown, is not what a stream costs.
      await runClient(peer, [...ALONE, '--proto', proto]);
      for (const [kind, args] of [
        ['paced', paced],
        ['unpaced', unpaced],
      ] as const) {
        crowds.push({ kind, proto, server: server.name, figures: await runClient(peer, [...args, '--proto', proto]) });
        console.log(JSON.stringify(crowds.at(-1)));
      }
    }
  }
  return crowds;
}

/** A model that needs all of a core, with one worker and with two: of each the round with most requests. */
async function runScaling(rounds: number, seconds: number): Promise<readonly Measured[]> {
  await using one = await PYTHON_OWN.start(1);
  await using two = await PYTHON_OWN.start(2);
  const flags = ['-c', '8', '-model', 'spin', '-input', 'x', '-shape', '1'];
  const best: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [at, peer] of [one, two].entries()) {
      const measured = await measure(peer, flags, seconds);
      if (measured.req_per_s > (best[at]?.req_per_s ?? 0)) best[at] = measured;
    }
  }
  return best;
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
  const ids = [...RUNTIME_LOADS.map(({ id }) => id), 'alone', 'crowds', 'scaling'];
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
  const crowds = [...(isOn('alone') ? await runAlone(rounds) : []), ...(isOn('crowds') ? await runCrowds() : [])];
  if (crowds.length > 0) lines.push(...crowdTable(crowds));
  if (isOn('scaling')) lines.push(...scalingLines(await runScaling(rounds, seconds)));
  console.log(lines.join('\n'));
  if (only === undefined) await writeSection('runtimes', lines.join('\n'));
}

await main();
