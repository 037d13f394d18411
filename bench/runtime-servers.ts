import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../test/support/paths.ts';
import { pythonPath } from '../test/support/python.ts';
import { startServer } from '../test/support/start-server.ts';
import { startMlserver, type Peer } from './peers.ts';

/** A server of runtimes; `grpcAddress` speaks MLServer's dialect. */
export interface RuntimeServer {
  readonly name: string;
  start(workers?: number): Promise<Peer>;
}

const PEER_MODELS = join(ROOT, '../shared/peers/mlserver/models');
const SPIN = join(ROOT, 'bench/runtimes/spin');

/** The interpreter of the peer's own environment, with its MLServer. */
export const PEER_PYTHON = join(
  process.env['PEERS_HOME'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'millrace-peers'),
  'mlserver/venv/bin/python',
);

export const TYPESCRIPT: RuntimeServer = {
  name: 'Millrace, TypeScript',
  start: () => startFolder('Millrace, TypeScript', join(ROOT, 'bench/runtimes/models'), {}),
};

/** The peer's own Python files, with the peer's own package. */
export const PYTHON_OWN: RuntimeServer = {
  name: 'Millrace, Python with the user’s MLServer',
  start: (workers) => startPython('Millrace, Python with the user’s MLServer', PEER_PYTHON, workers),
};

/** The same files with our stand-in for the package. */
export const PYTHON_SHIM: RuntimeServer = {
  name: 'Millrace, Python',
  start: async (workers) => startPython('Millrace, Python', await pythonPath(), workers),
};

export const MLSERVER: RuntimeServer = { name: 'MLServer 1.7.1', start: startMlserver };

async function startPython(name: string, python: string, workers = 1): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  for (const model of ['echo', 'text-model'])
    await cp(join(PEER_MODELS, model), join(folder, model), { recursive: true });
  await cp(SPIN, join(folder, 'spin'), { recursive: true });
  await writeFile(join(folder, 'settings.json'), JSON.stringify({ parallel_workers: workers }));
  const server = await startFolder(name, folder, { MILLRACE_PYTHON: python });
  return {
    ...server,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startFolder(name: string, folder: string, env: Readonly<Record<string, string>>): Promise<Peer> {
  const server = await startServer({ folder, env });
  return {
    name,
    pid: server.pid,
    grpcAddress: server.mlserverAddress,
    restUrl: server.restUrl,
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
