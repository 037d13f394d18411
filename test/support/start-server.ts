import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RestClient, type TlsOptions } from '../../src/client/index.ts';
import { freePorts } from './free-port.ts';
import { descendants, isRunning, type ProcessInfo } from './leaks.ts';
import { ROOT } from './paths.ts';

export interface ServerOptions {
  /** Path of a configuration, or one to be written to a file. Default: the one that the server ships. */
  readonly config?: string | object | undefined;
  /** An MLServer folder: it is served by `millrace start`, and `config` counts for nothing. */
  readonly folder?: string | undefined;
  /** A whole command line, `serve` or `start` first, in place of `config` and `folder`; its ports give way to free ones. */
  readonly command?: readonly string[] | undefined;
  /** More flags of `millrace serve` or `start`, e.g. ["--hosts", "1"]. */
  readonly flags?: readonly string[] | undefined;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Set: REST is encrypted, and this is what a client trusts and shows. */
  readonly tls?: TlsOptions | undefined;
  /** How long it may take to be ready. @default 60000 */
  readonly readyMs?: number | undefined;
}

/** The server as a child process, seen from outside. */
export interface TestServer extends AsyncDisposable {
  readonly pid: number;
  readonly grpcPort: number;
  readonly restPort: number;
  /** "127.0.0.1:N", for gRPC clients. */
  readonly grpcAddress: string;
  /** "http://127.0.0.1:N", or "https:", no slash at its end. */
  readonly restUrl: string;
  /** Of `start`: the port that speaks MLServer's gRPC. */
  readonly mlserverAddress: string;
  /** Of `start`: the metrics on the port of their own. */
  readonly metricsUrl: string;
  /** All that it has printed so far. */
  logs(): string;
  /** The processes that it has started and that still run. */
  children(): ProcessInfo[];
  /**
   * SIGTERM, then waits for its end. Throws when it did not end with code 0 or left a child process behind. Idempotent.
   */
  stop(): Promise<void>;
  /** SIGKILL, and waits; for tests of what remains after a crash. */
  kill(): Promise<void>;
}

const STOP_MS = 30_000;
const CHILDREN_END_MS = 5_000;
const POLL_MS = 25;

/** Starts the built server on free ports of 127.0.0.1 and waits until it says that it is ready. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-test-'));
  const [grpcPort = 0, restPort = 0, mlserverPort = 0, metricsPort = 0] = await freePorts(4);
  const served = options.command ?? (await commandOf(options, folder));
  const ports = ['--port', String(grpcPort), '--rest_port', String(restPort)];
  const mlserverPorts =
    options.folder === undefined
      ? undefined
      : { MLSERVER_GRPC_PORT: String(mlserverPort), MLSERVER_METRICS_PORT: String(metricsPort) };
  const child = spawn(process.execPath, ['bin/millrace.js', ...served, ...ports, ...(options.flags ?? [])], {
    cwd: ROOT,
    env: { ...process.env, ...mlserverPorts, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let logs = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (logs += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (logs += text));
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', (error) => {
      logs += String(error);
      resolve();
    });
  });
  const { pid } = child;
  const restUrl = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${restPort}`;
  const end = async (signal: NodeJS.Signals): Promise<ProcessInfo[]> => {
    const started = pid === undefined || hasEnded(child) ? [] : descendants(pid);
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
    const left = await waitUntilGone(started);
    await rm(folder, { recursive: true, force: true });
    return left;
  };

  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    const left = await end('SIGTERM');
    if (child.exitCode !== 0) {
      throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}, 0 expected:\n${logs}`);
    }
    if (left.length > 0) {
      for (const { pid: orphan } of left) process.kill(orphan, 'SIGKILL');
      throw new Error(`the server left processes behind: ${left.map((info) => info.pid).join(', ')}\n${logs}`);
    }
  };
  const server: TestServer = {
    pid: pid ?? 0,
    grpcPort,
    restPort,
    grpcAddress: `127.0.0.1:${grpcPort}`,
    restUrl,
    mlserverAddress: `127.0.0.1:${mlserverPort}`,
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    logs: () => logs,
    children: () => (pid === undefined || hasEnded(child) ? [] : descendants(pid)),
    stop: () => (stopping ??= stop()),
    kill: async () => {
      stopping ??= Promise.resolve();
      await end('SIGKILL');
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };

  const deadline = Date.now() + (options.readyMs ?? 60_000);
  while (!(await isReady(restUrl, options.tls))) {
    if (hasEnded(child) || Date.now() > deadline) {
      await server.kill();
      throw new Error(`the server is not ready (exit code ${child.exitCode ?? 'none'}):\n${logs}`);
    }
    await delay(POLL_MS);
  }
  return server;
}

async function commandOf({ folder, config }: ServerOptions, scratch: string): Promise<string[]> {
  return folder === undefined ? ['serve', ...(await configFlags(config, scratch))] : ['start', folder];
}

async function configFlags(config: string | object | undefined, folder: string): Promise<string[]> {
  if (config === undefined) return [];
  if (typeof config === 'string') return ['--config_path', config];
  const path = join(folder, 'config.json');
  await writeFile(path, JSON.stringify(config, undefined, 2));
  return ['--config_path', path];
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function isReady(url: string, tls: TlsOptions | undefined): Promise<boolean> {
  await using client = new RestClient({ url, tls, timeoutMs: 1_000 });
  try {
    return await client.isServerReady();
  } catch {
    return false; // it does not listen yet
  }
}

/** Those that still run after a time that is ample for a process that was told to end. */
async function waitUntilGone(processes: readonly ProcessInfo[]): Promise<ProcessInfo[]> {
  const deadline = Date.now() + CHILDREN_END_MS;
  let left = processes.filter(isRunning);
  while (left.length > 0 && Date.now() < deadline) {
    await delay(POLL_MS);
    left = left.filter(isRunning);
  }
  return left;
}
