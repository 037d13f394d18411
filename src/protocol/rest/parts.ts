import type { Logger } from '../../base/logger.ts';
import type { Meter } from '../../base/meter.ts';
import type { Guard } from '../../security/guard.ts';
import type { Tls } from '../../security/tls.ts';
import type { DataPlane } from '../../serving/data-plane.ts';
import type { PipelineRouteParts } from './pipelines/parts.ts';
import type { OwnRoutes } from '../../serving/own-routes.ts';
import type { ServerControls } from '../../serving/server-controls.ts';

/** What the routes work with. */
export interface RestParts {
  readonly dataPlane: DataPlane;
  /** Those of runtimes. Default: there are none. */
  readonly ownRoutes?: OwnRoutes | undefined;
  /** Undefined: no /metrics. */
  readonly metrics?: (() => Promise<MetricsPage>) | undefined;
  readonly logger: Logger;
  /** What clients may set of the server. Default: nothing. */
  readonly controls?: ServerControls | undefined;
  /** Counts requests by MLServer's names; undefined: they are not counted. */
  readonly meter?: Meter | undefined;
  /** Undefined: there are no pipelines. */
  readonly pipelines?: PipelineRouteParts | undefined;
  /** Asks requests for tokens; undefined: everybody may do everything. */
  readonly guard?: Guard | undefined;
}

/** Whose statuses, bodies and order of keys: Triton's, or MLServer's (its sheet, §7 and §9). Both have all paths. */
export type RestDialect = 'triton' | 'mlserver';

/** What a browser's page from elsewhere may do; as in MLServer's `cors_settings`. */
export interface CorsOptions {
  /** Origins that may call, `*` for all. */
  readonly allowOrigins: readonly string[];
  /** Also those that match whole. */
  readonly allowOriginRegex?: string | undefined;
  readonly allowCredentials: boolean;
  /** `*` for all. */
  readonly allowMethods: readonly string[];
  /** `*` for all that are asked for. */
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeS: number;
}

export interface MetricsPage {
  readonly contentType: string;
  readonly body: string;
}

export interface RestOptions {
  /** IP address or host name. */
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Encrypted with this; undefined: plain HTTP. */
  readonly tls?: Tls | undefined;
  /** Largest body without binary data, or JSON part of one with it; decompressed. Default 64 MiB. */
  readonly maxJsonBytes?: number | undefined;
  /** Largest body with binary tensor data, decompressed. Default 1 GiB. */
  readonly maxBinaryBytes?: number | undefined;
  /** Time for a client to send a whole request. Default 300,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Origins allowed to call from browsers, `*` for all. Default none: no CORS headers. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** As `GET /v2` reports it. Default "millrace". */
  readonly serverName?: string | undefined;
  /** As `GET /v2` reports it. */
  readonly serverVersion?: string | undefined;
  /** As `GET /v2` reports them, beside our own. */
  readonly extensions?: readonly string[] | undefined;
  /** Default "triton". */
  readonly dialect?: RestDialect | undefined;
  /** MLServer's dialect: answers of 500 bytes or more, and events, are compressed for clients that take gzip. Default true. */
  readonly gzip?: boolean | undefined;
  /** Path under which a proxy shows the server, "/a/b": requests may come with it or without. Default "". */
  readonly rootPath?: string | undefined;
  /** Takes the place of `corsOrigins`. */
  readonly cors?: CorsOptions | undefined;
  /** Path of the metrics. Default "/metrics". */
  readonly metricsPath?: string | undefined;
  /** First part of the names of `meter`'s metrics. Default "rest_server". */
  readonly metricsPrefix?: string | undefined;
  /** `/openapi.json` and `/docs`. Default true. */
  readonly docs?: boolean | undefined;
}

export interface BodyLimits {
  readonly maxJsonBytes: number;
  readonly maxBinaryBytes: number;
}

export const DEFAULT_LIMITS: BodyLimits = { maxJsonBytes: 64 * 2 ** 20, maxBinaryBytes: 2 ** 30 };
