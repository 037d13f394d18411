import type { BufferPool } from '../base/buffer-pool.ts';
import type { Closer } from '../base/closer.ts';
import type { Logger } from '../base/logger.ts';
import { packageVersion } from '../base/version.ts';
import type { Settings } from '../config/settings.ts';
import type { PrometheusMeter } from '../observability/meter.ts';
import { listenGrpc, type GrpcListener } from '../protocol/grpc/listen-grpc.ts';
import { listenManager, type ManagerListener } from '../protocol/manager/listen-manager.ts';
import { listenMetrics, listenRest, type RestListener } from '../protocol/rest/index.ts';
import type { DataPlane } from '../serving/data-plane.ts';
import type { OwnRoutes } from '../serving/own-routes.ts';
import type { ServerControls } from '../serving/server-controls.ts';
import type { Tls } from '../security/tls.ts';
import { hasTls } from './open-doors.ts';
import type { OpenPipelines } from './open-pipelines.ts';
import type { Security } from './security.ts';
import type { StartOptions } from './server.ts';

/** What the server listens on. */
export interface OpenPorts {
  /** gRPC in Triton's dialect. */
  readonly grpc: GrpcListener;
  readonly rest: RestListener;
  /** gRPC in MLServer's dialect. */
  readonly mlserver: GrpcListener | undefined;
  /** Of the metrics alone. */
  readonly metrics: RestListener | undefined;
  /** REST once more, where Roboflow's clients look for it. */
  readonly streamApi: RestListener | undefined;
  /** Roboflow's stream manager. */
  readonly manager: ManagerListener | undefined;
  /** All of them. */
  readonly listeners: readonly { drain(): Promise<void> }[];
}

/** What the ports serve, and with what. */
export interface PortParts extends Security {
  readonly dataPlane: DataPlane;
  readonly ownRoutes: OwnRoutes;
  readonly controls: ServerControls;
  readonly meter: PrometheusMeter;
  /** Memory for big messages. */
  readonly pool: BufferPool | undefined;
  readonly pipelines: OpenPipelines | undefined;
}

/** Opens every port that the settings name; `opened` closes them. PORT_IN_USE when one is taken. */
export async function openPorts(
  options: StartOptions,
  { dataPlane, ownRoutes, controls, meter, pool, pipelines, tls, guard }: PortParts,
  opened: Closer,
): Promise<OpenPorts> {
  const { settings, logger, mlserver: as } = options;
  const tlsOf = (kind: Parameters<typeof hasTls>[1]): Tls | undefined => (hasTls(settings, kind) ? tls : undefined);
  const identity = {
    serverName: as?.serverName,
    serverVersion: as?.serverVersion ?? (await packageVersion()),
    extensions: as?.extensions,
  };
  const openGrpc = async (port: number, dialect: 'triton' | 'mlserver'): Promise<GrpcListener> => {
    const { grpcBindAddress: host, grpcMaxMessageBytes: maxMessageBytes } = settings;
    const counts = dialect === 'mlserver' ? meter : undefined;
    const protection = { tls: tlsOf('grpc'), guard };
    const counted = { dialect, controls, meter: counts };
    const grpcOptions = { host, port, maxMessageBytes, pool, ...identity, ...counted, ...protection };
    return opened.use(await listenGrpc(grpcOptions, dataPlane, logger));
  };
  const grpc = await openGrpc(settings.port, 'triton');
  const mlserver = settings.mlserverPort === undefined ? undefined : await openGrpc(settings.mlserverPort, 'mlserver');
  const page = settings.metricsEnable ? () => meter.render() : undefined;
  const metricsPath = as?.metricsPath ?? '/metrics';
  const openRest = (port: number): Promise<RestListener> =>
    listenRest(
      {
        host: settings.restBindAddress,
        port,
        tls: tlsOf('rest'),
        maxJsonBytes: settings.restMaxJsonBytes,
        maxBinaryBytes: settings.restMaxBinaryBytes,
        corsOrigins: settings.allowedOrigins,
        ...identity,
        ...(as && { dialect: 'mlserver', gzip: as.gzip, rootPath: as.rootPath, metricsPrefix: as.metricsPrefix }),
        cors: settings.allowedOrigins.length > 0 ? undefined : as?.cors,
        metricsPath,
      },
      { dataPlane, ownRoutes, controls, metrics: page, logger, meter: as && meter, pipelines, guard },
    );
  const rest = opened.use(await openRest(settings.restPort));
  const streamApi =
    settings.streamApiPort === undefined ? undefined : opened.use(await openRest(settings.streamApiPort));
  const manager = await openManager(settings, pipelines, tlsOf('stream_manager'), logger, opened);
  const { metricsPort } = settings;
  // On the port of REST they are already.
  const hasOwnPort =
    page !== undefined && metricsPort !== undefined && (metricsPort === 0 || metricsPort !== rest.port);
  const metrics = hasOwnPort
    ? opened.use(
        await listenMetrics(
          { host: settings.restBindAddress, port: metricsPort, tls: tlsOf('metrics'), metricsPath },
          page,
          logger,
          guard,
        ),
      )
    : undefined;
  const all = [grpc, mlserver, rest, streamApi, manager, metrics];
  const listeners = all.filter((listener) => listener !== undefined);
  return { grpc, rest, mlserver, metrics, streamApi, manager, listeners };
}

async function openManager(
  settings: Settings,
  pipelines: OpenPipelines | undefined,
  tls: Tls | undefined,
  logger: Logger,
  opened: Closer,
): Promise<ManagerListener | undefined> {
  const { streamManagerPort: port, streamManagerBindAddress: host } = settings;
  if (port === undefined || pipelines === undefined) return undefined;
  const limits = { maxMessageBytes: settings.streamManagerMaxBytes, timeoutMs: settings.streamManagerTimeoutS * 1000 };
  const options = { host, port, tls, ...limits, ownerOf: pipelines.ownerOfKey };
  return opened.use(await listenManager(options, pipelines.commands, logger));
}
