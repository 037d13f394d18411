import { join } from 'node:path';
import { KserveGrpc } from '../test/support/kserve-grpc.ts';
import { ROOT } from '../test/support/paths.ts';
import { startMillrace, type Peer } from './peers.ts';
import { percentile } from './statistics.ts';

/** A run of the slow model takes about this long. */
const RUN_MS = 200;
/** Requests to it under way at any time: more than there are hosts. */
const SATURATION = 8;
const PROBE_EVERY_MS = 5;

export const LIVE_P99_TARGET_MS = 20;

export interface Responsiveness {
  readonly probes: number;
  readonly liveP50Ms: number;
  readonly liveP99Ms: number;
  readonly liveMaxMs: number;
  /** How long one run of the model took while nothing else ran. */
  readonly runMs: number;
  readonly slowRequests: number;
}

const CONFIG = {
  model_config_list: [{ config: { name: 'spin', base_path: join(ROOT, 'bench/models/spin') } }],
};

/** How fast ServerLive answers while every host is busy with runs that cannot be cancelled. */
export async function measureResponsiveness(seconds: number): Promise<Responsiveness> {
  await using server: Peer = await startMillrace([], CONFIG);
  using probe = new KserveGrpc(server.grpcAddress);
  using slow = new KserveGrpc(server.grpcAddress, { 'grpc.use_local_subchannel_pool': 1 });
  const { turns, runMs } = await calibrate(slow);

  const end = Date.now() + seconds * 1000;
  let slowRequests = 0;
  const load = Array.from({ length: SATURATION }, async () => {
    while (Date.now() < end) {
      await spin(slow, turns);
      slowRequests++;
    }
  });
  const times: number[] = [];
  while (Date.now() < end) {
    const start = performance.now();
    const { code, text } = await probe.unary('ServerLive', {});
    if (code !== 0) throw new Error(`ServerLive: ${code} ${text}`);
    times.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
  }
  await Promise.all(load);
  return {
    probes: times.length,
    liveP50Ms: percentile(times, 0.5),
    liveP99Ms: percentile(times, 0.99),
    liveMaxMs: Math.max(...times),
    runMs,
    slowRequests,
  };
}

/** Turns of the model's loop that take `RUN_MS` on this machine. */
async function calibrate(client: KserveGrpc): Promise<{ turns: number; runMs: number }> {
  let turns = 16;
  for (;;) {
    const start = performance.now();
    await spin(client, turns);
    const runMs = performance.now() - start;
    if (runMs > RUN_MS * 0.8) return { turns, runMs };
    turns = Math.ceil(turns * Math.min(8, (RUN_MS * 1.05) / runMs));
  }
}

async function spin(client: KserveGrpc, turns: number): Promise<void> {
  const { code, text } = await client.unary(
    'ModelInfer',
    {
      model_name: 'spin',
      inputs: [{ name: 'n', datatype: 'INT64', shape: [1], contents: { int64_contents: [turns] } }],
    },
    60_000,
  );
  if (code !== 0) throw new Error(`spin: ${code} ${text}`);
}
