import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from '../test/support/paths.ts';
import { startServer } from '../test/support/start-server.ts';

/** A server under measurement, with the process whose tree is charged for it. */
export interface Peer extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly grpcAddress: string;
  readonly restUrl: string;
}

/** The real systems, beside the repository; see the README there. */
const PEERS = join(ROOT, '../shared/peers');
/** The first start of a peer installs it. */
const READY_MS = 15 * 60_000;

/** @param flags more of tritonserver's */
export function startTriton(flags: readonly string[] = []): Promise<Peer> {
  return startPeer('Triton 2.51', 'triton/start.sh', 18000, 18001, [], flags);
}

export function startMlserver(): Promise<Peer> {
  return startPeer('MLServer 1.7.1', 'mlserver/start.sh', 18080, 18081);
}

/** MLServer on a folder of our own, on the same ports. */
export function startMlserverOn(folder: string): Promise<Peer> {
  const script = [
    'set -e; venv="${PEER_VENV:-${PEERS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-peers}/mlserver/venv}"',
    '[ -x "$venv/bin/mlserver" ] || PEER_VENV="$venv" bash "$0" >&2',
    'exec "$venv/bin/mlserver" start "$1"',
  ].join('\n');
  const env = {
    MLSERVER_HOST: '127.0.0.1',
    MLSERVER_HTTP_PORT: '18080',
    MLSERVER_GRPC_PORT: '18081',
    MLSERVER_METRICS_PORT: '18082',
    PYTHONDONTWRITEBYTECODE: '1',
  };
  return startPeer('MLServer 1.7.1', 'mlserver/install.sh', 18080, 18081, ['-c', script], [folder], env);
}

/** Our own server; `config` undefined is the shipped one. */
export async function startMillrace(flags: readonly string[] = [], config?: string | object): Promise<Peer> {
  const server = await startServer({ flags, config });
  return {
    name: ['Millrace', ...flags].join(' '),
    pid: server.pid,
    grpcAddress: server.grpcAddress,
    restUrl: server.restUrl,
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** @param options of bash, before the script; @param args behind it */
async function startPeer(
  name: string,
  script: string,
  restPort: number,
  grpcPort: number,
  options: readonly string[] = [],
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const path = join(PEERS, script);
  await access(path);
  const restUrl = `http://127.0.0.1:${restPort}`;
  if (await isReady(restUrl)) throw new Error(`${name}: another server answers at ${restUrl}; stop it first`);
  const child = spawn('bash', [...options, path, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let logs = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (logs = (logs + text).slice(-10_000)));
  }
  const ended = once(child, 'close');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  const deadline = Date.now() + READY_MS;
  while (!(await isReady(restUrl))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`${name} did not start:\n${logs}`);
    }
    await delay(100);
  }
  return {
    name,
    pid: child.pid ?? 0,
    grpcAddress: `127.0.0.1:${grpcPort}`,
    restUrl,
    [Symbol.asyncDispose]: stop,
  };
}

async function isReady(restUrl: string): Promise<boolean> {
  try {
    return (await fetch(`${restUrl}/v2/health/ready`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
