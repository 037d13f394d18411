import type { MlserverOptions } from '../app/mlserver-options.ts';
import type { PipelinesSection } from '../app/open-pipelines.ts';
import type { Logger } from '../base/logger.ts';
import type { ResolvedSettings } from '../config/resolve.ts';
import type { Settings } from '../config/settings.ts';
import type { LoadedServables, Overrides } from '../serving/servable-spec.ts';

/** `startServer` of `app/`, of which the commands know only this. */
export type StartServer = (options: {
  readonly settings: Settings;
  readonly loadServables: (overrides?: Overrides) => Promise<LoadedServables>;
  readonly logger: Logger;
  readonly mlserver?: MlserverOptions | undefined;
  readonly pipelines?: PipelinesSection | undefined;
  /** Aborted: the start is given up, and fails. */
  readonly signal: AbortSignal;
}) => Promise<{
  readonly grpcPort: number;
  readonly restPort: number;
  readonly mlserverPort?: number | undefined;
  readonly metricsPort?: number | undefined;
  readonly managerPort?: number | undefined;
  readonly dataPlane: { list(): readonly { readonly name: string; readonly state: string }[] };
  stop(): Promise<void>;
}>;

/** What of the process `serve` uses; tests bring their own. */
export interface ServeParts {
  readonly startServer: StartServer;
  readonly loadServables: (overrides?: Overrides) => Promise<LoadedServables>;
  readonly logger: Logger;
  /** Of an MLServer folder. */
  readonly mlserver?: MlserverOptions | undefined;
  /** Of the configuration file. */
  readonly pipelines?: PipelinesSection | undefined;
  /** For people. */
  readonly say: (line: string) => void;
  /** Calls `listener` at each SIGTERM and SIGINT; returns how to take it back. */
  readonly onSignal: (listener: (signal: string) => void) => () => void;
}

/**
 * Runs the server until a signal; then stops it, which drains. A second signal does not wait, nor does the first while
 * the server is not ready.
 * @returns the exit code
 * @throws what `startServer` throws
 */
export async function serve({ settings, warnings }: ResolvedSettings, parts: ServeParts): Promise<number> {
  const { startServer, loadServables, logger, mlserver, pipelines, say, onSignal } = parts;
  for (const warning of warnings) logger.warn({}, warning);
  const signals = new Signals(onSignal);
  /** Undefined: a signal came while servables were still loading. */
  const startOrSignal = async (): Promise<Awaited<ReturnType<StartServer>> | undefined> => {
    const starting = new AbortController();
    let isOver = false;
    void signals.first.then((signal) => {
      if (isOver) return;
      say(`millrace: ${signal}, stopping before it was ready (once more to end at once)`);
      starting.abort();
    });
    try {
      return await startServer({ settings, loadServables, logger, mlserver, pipelines, signal: starting.signal });
    } catch (error) {
      if (starting.signal.aborted) return undefined;
      throw error;
    } finally {
      isOver = true;
    }
  };
  const run = async (): Promise<number> => {
    const server = await startOrSignal();
    if (server === undefined) return 0;
    say(readyLine(settings, server));
    const signal = await signals.first;
    say(`millrace: ${signal}, stopping (at most ${settings.shutdownGraceS} s; once more to end at once)`);
    await server.stop();
    return 0;
  };
  try {
    return await Promise.race([run(), signals.second.then(() => 1)]);
  } finally {
    signals.unsubscribe();
  }
}

/** The first signal asks to stop, the second to end at once; both count from before the server is ready. */
class Signals {
  readonly first: Promise<string>;
  readonly second: Promise<string>;
  readonly unsubscribe: () => void;

  constructor(onSignal: ServeParts['onSignal']) {
    const resolves: ((signal: string) => void)[] = [];
    this.first = new Promise((resolve) => resolves.push(resolve));
    this.second = new Promise((resolve) => resolves.push(resolve));
    this.unsubscribe = onSignal((signal) => resolves.shift()?.(signal));
  }
}

function readyLine(settings: Settings, server: Awaited<ReturnType<StartServer>>): string {
  const all = server.dataPlane.list();
  const names = namesOf(all.filter(({ state }) => state === 'ready'));
  const unloaded = namesOf(all.filter(({ state }) => state === 'unloaded'));
  const broken = namesOf(all.filter(({ state }) => state !== 'ready' && state !== 'unloaded'));
  const served = [
    names.length === 0 ? 'no servables' : names.join(', '),
    ...(unloaded.length === 0 ? [] : [`not loaded until asked for: ${unloaded.join(', ')}`]),
    ...(broken.length === 0 ? [] : [`not available, see the log: ${broken.join(', ')}`]),
  ];
  return `millrace is ready: ${portsLine(settings, server)}; ${served.join('; ')}`;
}

function portsLine(settings: Settings, server: Awaited<ReturnType<StartServer>>): string {
  const { grpcPort, restPort, mlserverPort, metricsPort, managerPort } = server;
  const { grpcBindAddress, restBindAddress } = settings;
  const asMlserver =
    mlserverPort === undefined ? '' : ` (MLServer's dialect on ${address(grpcBindAddress, mlserverPort)})`;
  const scheme = (kind: 'rest' | 'metrics'): string => (isEncrypted(settings, kind) ? 'https' : 'http');
  const metrics =
    metricsPort === undefined ? '' : `, metrics ${scheme('metrics')}://${address(restBindAddress, metricsPort)}`;
  const manager =
    managerPort === undefined ? '' : `, stream manager ${address(settings.streamManagerBindAddress, managerPort)}`;
  const rest = `REST ${scheme('rest')}://${address(restBindAddress, restPort)}`;
  return `gRPC ${isEncrypted(settings, 'grpc') ? 'with TLS ' : ''}${address(grpcBindAddress, grpcPort)}${asMlserver}, ${rest}${metrics}${manager}`;
}

function isEncrypted({ tlsCert, tlsListeners }: Settings, kind: Settings['tlsListeners'][number]): boolean {
  return tlsCert !== undefined && tlsListeners.includes(kind);
}

/** Each name once; a servable may have several versions. */
function namesOf(servables: readonly { readonly name: string }[]): string[] {
  return [...new Set(servables.map(({ name }) => name))];
}

function address(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
