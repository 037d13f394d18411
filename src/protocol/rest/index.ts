export { listenMetrics } from './listen-metrics.ts';
export { listenRest, type RestListener } from './listen.ts';
export type { MetricsPage, RestOptions, RestParts } from './parts.ts';
