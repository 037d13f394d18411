import type { CorsOptions } from '../protocol/rest/parts.ts';

/** What makes a server answer as MLServer does, beside the options that both have. */
export interface MlserverOptions {
  /** As the server metadata has them; undefined: ours. */
  readonly serverName: string | undefined;
  readonly serverVersion: string | undefined;
  readonly extensions: readonly string[];
  /** Whether answers are compressed for clients that take gzip. */
  readonly gzip: boolean;
  /** Path under which a proxy shows the server. */
  readonly rootPath: string;
  readonly cors: CorsOptions | undefined;
  /** Path of the metrics. */
  readonly metricsPath: string;
  /** First part of the names of the REST metrics. */
  readonly metricsPrefix: string;
  /** False: servables load when a client asks for it. */
  readonly loadsAtOnce: boolean;
  /** Responses that are remembered; 0: none. */
  readonly cacheEntries: number;
}
