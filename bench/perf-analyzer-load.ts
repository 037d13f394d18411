import { join } from 'node:path';
import { ScratchFolder } from '../test/support/scratch-folder.ts';
import { WARMUP_SECONDS, type Measured } from './loadgen.ts';
import type { LoadFlags } from './loads.ts';
import { faultOf, lastRow, runBinary } from './perf-analyzer-binary.ts';
import type { Peer } from './peers.ts';
import { cpuSeconds, peakMib } from './process-usage.ts';

/** It measures window by window until so many agree; here they need not, so this is how many it measures. */
const WINDOWS = 3;

/**
 * One round of a load that only perf_analyzer can put (shared memory). The CPU time is that of its whole run, over all requests
 * of the run. @throws Error for any error that it saw
 */
export async function measureByPerfAnalyzer(peer: Peer, flags: LoadFlags, seconds: number): Promise<Measured> {
  await using scratch = await ScratchFolder.create();
  const csv = join(scratch.path, 'latest.csv');
  const model = flags[flags.indexOf('-m') + 1] ?? '';
  const run = async (ofSeconds: number, more: readonly string[]): Promise<void> => {
    const window = ['-p', String(Math.ceil((ofSeconds / WINDOWS) * 1000)), '-s', '999', '-r', '10'];
    const fault = faultOf(await runBinary([...flags, '-u', peer.grpcAddress, ...window, ...more]));
    if (fault !== undefined) throw new Error(`${peer.name}: perf_analyzer ${flags.join(' ')}: ${fault}`);
  };
  await run(WARMUP_SECONDS, []);
  const [cpu, requests] = [cpuSeconds(peer.pid), await inferences(peer, model)];
  await run(seconds, ['-f', csv, '--verbose-csv']);
  const done = (await inferences(peer, model)) - requests;
  const row = await lastRow(csv);
  const number = (title: string): number => Number(row.get(title));
  const used = cpuSeconds(peer.pid) - cpu;
  return {
    requests: done,
    req_per_s: number('Inferences/Second'),
    responses_per_s: number('Inferences/Second'),
    p50_us: number('p50 latency'),
    p99_us: number('p99 latency'),
    errors: 0,
    server_cpu_us_per_req: (used / done) * 1e6,
    server_cores: (used / done) * number('Inferences/Second'),
    server_peak_mib: peakMib(peer.pid),
  };
}

async function inferences(peer: Peer, model: string): Promise<number> {
  const answer = await fetch(`${peer.restUrl}/v2/models/${model}/stats`);
  const { model_stats: stats } = (await answer.json()) as { model_stats: { inference_count: number }[] };
  return stats.reduce((sum, each) => sum + each.inference_count, 0);
}
