import { BufferPool } from '../base/buffer-pool.ts';
import { Closer } from '../base/closer.ts';
import { messageOf, MillraceError } from '../base/errors.ts';
import type { LogControl, Logger } from '../base/logger.ts';
import { sessionQuota, sharedResources, type Settings } from '../config/settings.ts';
import { defaultSupervision } from '../ipc/supervisor.ts';
import { createPrometheusMeter } from '../observability/meter.ts';
import { FrontDataPlane } from '../serving/front-data-plane.ts';
import { LogSettingsService } from '../serving/log-settings.ts';
import type { LoadedServables, Overrides } from '../serving/servable-spec.ts';
import { TraceSettings } from '../serving/trace-settings.ts';
import { SharedMemoryRegions } from '../shared-memory/regions.ts';
import { hostLauncher } from './host-launcher.ts';
import type { MlserverOptions } from './mlserver-options.ts';
import { warnOfOpenDoors } from './open-doors.ts';
import { openPipelines, type PipelinesSection } from './open-pipelines.ts';
import { openPorts } from './open-ports.ts';
import { openSecurity } from './security.ts';
import { watchFiles } from './watcher.ts';

/** Memory for big messages that is kept for the next ones. */
const MAX_POOLED_BYTES = 64 * 2 ** 20;

/** How many messages of a session may be under way each way; its bytes are a setting. */
const MAX_SESSION_MESSAGES = 64;

export interface StartOptions {
  readonly settings: Settings;
  /** Reads what should be served; called again for each reload. */
  readonly loadServables: (overrides?: Overrides) => Promise<LoadedServables>;
  readonly logger: Logger;
  /** Set: REST answers as MLServer's does. */
  readonly mlserver?: MlserverOptions | undefined;
  readonly pipelines?: PipelinesSection | undefined;
  /** Aborted before the server is ready, the start is given up, and fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunningServer extends AsyncDisposable {
  readonly grpcPort: number;
  readonly restPort: number;
  /** Of gRPC in MLServer's dialect, where there is one. */
  readonly mlserverPort: number | undefined;
  /** Of the metrics alone, where there is one. */
  readonly metricsPort: number | undefined;
  /** Of the stream manager, where there is one. */
  readonly managerPort: number | undefined;
  readonly dataPlane: FrontDataPlane;
  /** Not ready at once; what was accepted ends within the grace time; then everything closes. Idempotent. */
  stop(): Promise<void>;
}

/** The composition root: builds every part, in order, and closes what was opened when a later step fails. */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const { settings, logger, signal } = options;
  await using opened = new Closer();
  warnOfOpenDoors(settings, logger);
  const meter = createPrometheusMeter();
  const security = await openSecurity(settings, meter, logger, opened);
  // A host in this process would go on looking at memory that was given back.
  const pool = settings.hosts === 0 ? undefined : new BufferPool(MAX_POOLED_BYTES);
  const sharedMemory = new SharedMemoryRegions({ isEnabled: settings.sharedMemory });
  opened.defer(() => sharedMemory[Symbol.dispose]());
  const planeOptions = { ...(await dataPlaneOptions(options, pool)), sharedMemory };
  const dataPlane = opened.use(new FrontDataPlane(planeOptions, meter, logger));
  const controls = {
    sharedMemory,
    log: new LogSettingsService(logger.control && everywhere(logger.control, dataPlane)),
    trace: new TraceSettings((name) => dataPlane.list().some((servable) => servable.name === name)),
  };
  const pipelineParts = { dataPlane, guard: security.guard, meter, logger };
  const pipelines = openPipelines(settings, options.pipelines, pipelineParts, opened);
  const parts = { dataPlane, ownRoutes: dataPlane.ownRoutes, controls, meter, pool, pipelines };
  const ports = await openPorts(options, { ...parts, ...security }, opened);
  const readAtMs = Date.now();
  await orAborted(dataPlane.start(), signal);
  if (settings.strict) refuseFailedLoads(dataPlane);
  await pipelines?.manager.restore();
  watchConfiguration(opened, settings, readAtMs, dataPlane, logger);
  const closer = opened.move();

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      const graceMs = settings.shutdownGraceS * 1000;
      logger.info({ graceMs }, 'stopping');
      const endsAt = performance.now() + graceMs;
      // With open doors: an HTTP/2 client that is told to go could not send the rest of its sequence.
      await dataPlane.finishSequences(graceMs);
      const closed = Promise.all(ports.listeners.map((listener) => listener.drain()));
      await dataPlane.drain(graceMs, Math.max(0, endsAt - performance.now()));
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
      await closer[Symbol.asyncDispose]();
      logger.info({}, 'stopped');
    })());
  return {
    grpcPort: ports.grpc.port,
    restPort: ports.rest.port,
    mlserverPort: ports.mlserver?.port,
    metricsPort: ports.metrics?.port,
    managerPort: ports.manager?.port,
    dataPlane,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A change is the hosts', too. */
function everywhere(control: LogControl, dataPlane: FrontDataPlane): LogControl {
  return {
    get settings() {
      return control.settings;
    },
    set: (settings) => {
      control.set(settings);
      dataPlane.setLog(settings);
    },
  };
}

/** Settles as `work` does; rejects with the signal's reason when that comes first. */
function orAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  const aborted = new Promise<never>((_, reject) => {
    const refuse = (): void => reject(signal.reason as Error);
    if (signal.aborted) refuse();
    else signal.addEventListener('abort', refuse, { once: true });
  });
  return Promise.race([work, aborted]);
}

async function dataPlaneOptions(
  { settings, loadServables, logger, mlserver }: StartOptions,
  pool: BufferPool | undefined,
) {
  return {
    hosts: {
      shared: Math.max(1, settings.hosts),
      launch: await hostLauncher(settings, logger),
      supervision: {
        ...defaultSupervision,
        pool,
        settings: { hosts: Math.max(1, settings.hosts), streamLookAhead: settings.streamLookAhead },
        limits: { maxMessages: MAX_SESSION_MESSAGES, maxBytes: settings.maxSessionBytes },
        maxSilenceMs: settings.hostHeartbeatS * 1000,
        maxPipelineRunMs: settings.pipelineRunDeadlineMs,
      },
      resources: sharedResources(settings),
    },
    limits: {
      maxSessions: settings.maxSessions,
      maxRequestsInFlight: settings.maxRequestsInFlight,
      maxBytesInFlight: settings.maxBytesInFlight,
      session: sessionQuota(settings),
    },
    loadServables,
    loadsAtOnce: loadsAtOnce(settings, mlserver),
    isFixed: settings.modelControlMode === 'none',
    takesOverrides: isExplicit(settings) && settings.modelRepository !== undefined,
    ...cacheOf(settings, mlserver),
  };
}

/** Undefined: all servables do. */
function loadsAtOnce(
  settings: Settings,
  mlserver: MlserverOptions | undefined,
): ((name: string) => boolean) | undefined {
  if (mlserver?.loadsAtOnce === false) return () => false;
  const { loadModel } = settings;
  if (!isExplicit(settings) || loadModel.includes('*')) return undefined;
  return (name) => loadModel.includes(name);
}

const isExplicit = ({ modelControlMode }: Settings): boolean => modelControlMode === 'explicit';

/** Triton's cache is bounded by its bytes, MLServer's by its entries. */
function cacheOf({ cacheConfig }: Settings, mlserver: MlserverOptions | undefined) {
  if (cacheConfig === undefined) return { cacheEntries: mlserver?.cacheEntries };
  return { cacheEntries: mlserver?.cacheEntries ?? Infinity, cacheBytes: Number(cacheConfig.replace(/^.*=/, '')) };
}

function watchConfiguration(
  opened: Closer,
  settings: Settings,
  readAtMs: number,
  dataPlane: FrontDataPlane,
  logger: Logger,
): void {
  const intervalMs = settings.fileSystemPollWaitSeconds * 1000;
  if (intervalMs === 0 || settings.modelControlMode !== 'poll') return;
  const reload = async (): Promise<void> => {
    try {
      if (await dataPlane.reload()) logger.info({}, 'configuration reloaded');
    } catch (error) {
      logger.error({ reason: messageOf(error) }, 'configuration not reloaded; what was served goes on');
    }
  };
  // Not waited for: a runtime that takes long to load, or for ever, must not keep later changes from being seen.
  const onChange = (): void => void reload();
  const watch = watchFiles(() => dataPlane.watchedFiles, readAtMs, intervalMs, onChange);
  opened.defer(() => watch[Symbol.dispose]());
}

function refuseFailedLoads(dataPlane: FrontDataPlane): void {
  const failed = dataPlane.list().filter(({ state }) => state === 'unavailable');
  if (failed.length === 0) return;
  const faults = failed.map(({ name, version, reason }) => `"${name}" version ${version}: ${reason}`);
  throw new MillraceError(
    'SERVABLE_NOT_READY',
    `${faults.length === 1 ? 'a servable' : `${faults.length} servables`} did not load; refused because of --strict: ${faults.join('; ')}`,
    { details: { servables: failed.map(({ name }) => name) } },
  );
}
