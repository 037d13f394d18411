import type { Logger } from '../../base/logger.ts';
import type { DataPlane } from '../../serving/data-plane.ts';

/** What the routes work with. */
export interface RestParts {
  readonly dataPlane: DataPlane;
  /** Undefined: no /metrics. */
  readonly metrics?: (() => Promise<MetricsPage>) | undefined;
  readonly logger: Logger;
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
  /** Largest body without binary data, or JSON part of one with it; decompressed. Default 64 MiB. */
  readonly maxJsonBytes?: number | undefined;
  /** Largest body with binary tensor data, decompressed. Default 1 GiB. */
  readonly maxBinaryBytes?: number | undefined;
  /** Time for a client to send a whole request. Default 300,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Origins allowed to call from browsers, `*` for all. Default none: no CORS headers. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** As `GET /v2` reports it. */
  readonly serverVersion?: string | undefined;
  /** `/openapi.json` and `/docs`. Default true. */
  readonly docs?: boolean | undefined;
}

export interface BodyLimits {
  readonly maxJsonBytes: number;
  readonly maxBinaryBytes: number;
}

export const DEFAULT_LIMITS: BodyLimits = { maxJsonBytes: 64 * 2 ** 20, maxBinaryBytes: 2 ** 30 };
