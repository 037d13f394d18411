import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../test/support/paths.ts';
import { freePort } from '../test/support/free-port.ts';
import { startServer } from '../test/support/start-server.ts';

const run = promisify(execFile);

/** A stream manager under measurement: Roboflow's, or ours. */
export interface PipelineManager extends AsyncDisposable {
  readonly name: string;
  /** Their trees are charged. */
  readonly pids: readonly number[];
  /** Of the page's HTTP API. */
  readonly url: string;
  readonly tcpPort: number;
  /** Processes that run pipelines, to be stopped: a worker that hangs. */
  workers(): readonly number[];
}

const SCRIPT = join(ROOT, '../shared/peers/roboflow/restart.sh');
const LAB =
  process.env['LAB'] ??
  join(
    process.env['PEERS_HOME'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'millrace-peers'),
    'roboflow',
  );

/** The detector of both: 64×64, constant boxes; the script of the peer writes it. */
export const MODEL = 'dummy/1';

/** The manager of the seed's generation. Its first start installs it. */
export async function startRoboflow(): Promise<PipelineManager> {
  await access(SCRIPT);
  await run('bash', [SCRIPT, 'seed'], { timeout: 20 * 60_000 });
  const pids = await Promise.all(
    ['seed-manager.pid', 'seed-api.pid'].map(async (name) => Number(await readFile(join(LAB, name), 'utf8'))),
  );
  return {
    name: 'Roboflow 0.12.1',
    pids,
    url: 'http://127.0.0.1:8080',
    tcpPort: 7070,
    workers: () => [],
    [Symbol.asyncDispose]: async () => void (await run('bash', [SCRIPT, 'stop'])),
  };
}

/** Our server with the peer's model, from the peer's cache. */
export async function startOurs(): Promise<PipelineManager> {
  const tcpPort = await freePort();
  const config = {
    roboflow_caches: [join(LAB, 'seed-cache')],
    pipelines: { allow: { schemes: ['file', 'rtsp'] } },
  };
  const server = await startServer({
    config,
    flags: ['--hosts', '2', '--stream_manager_port', String(tcpPort)],
  });
  return {
    name: 'Millrace',
    pids: [server.pid],
    url: server.restUrl,
    tcpPort,
    workers: () => server.children().flatMap(({ pid, parent }) => (parent === server.pid ? [pid] : [])),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
