import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../test/support/paths.ts';
import type { LoadFlags } from './loads.ts';
import type { Peer } from './peers.ts';

const run = promisify(execFile);
const SOURCE = join(ROOT, '../shared/loadgen');
const BINARY = join(ROOT, 'node_modules/.cache/millrace-bench/loadgen');

/** Unmeasured load before each round, in seconds: servers that compile as they run (V8, CPython's caches) are warm by then. */
export const WARMUP_SECONDS = 5;

/** What the load generator prints, as far as it is used here. */
export interface Measured {
  readonly requests: number;
  readonly req_per_s: number;
  readonly responses_per_s: number;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly errors: number;
  readonly first_error?: string;
  readonly server_cpu_us_per_req: number;
  /** Cores that the server got. */
  readonly server_cores: number;
  readonly server_peak_mib: number;
}

/** Compiles the load generator; says with which Go. */
export async function buildLoadgen(): Promise<string> {
  await mkdir(join(BINARY, '..'), { recursive: true });
  await run('go', ['build', '-buildvcs=false', '-o', BINARY, '.'], { cwd: SOURCE });
  const { stdout } = await run('go', ['version']);
  return stdout.trim();
}

/** One round of a load against one server. Throws on any error that a client saw. */
export async function measure(peer: Peer, flags: LoadFlags, seconds: number): Promise<Measured> {
  const isRest = flags.includes('rest') || flags.includes('sse');
  const address = isRest ? new URL(peer.restUrl).host : peer.grpcAddress;
  const args = [
    ...flags,
    '-addr',
    address,
    '-pid',
    String(peer.pid),
    '-d',
    `${seconds}s`,
    '-warmup',
    `${WARMUP_SECONDS}s`,
  ];
  try {
    const { stdout } = await run(BINARY, args);
    return JSON.parse(stdout) as Measured;
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    throw new Error(`${peer.name}: load generator ${flags.slice(0, 6).join(' ')}: ${stdout}`, { cause: error });
  }
}
