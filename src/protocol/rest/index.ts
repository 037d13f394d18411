export { buildRestApp } from './app.ts';
export { listenRest, type RestListener } from './listen.ts';
export type { MetricsPage, RestOptions, RestParts } from './parts.ts';
export { HTTP_STATUS, httpStatus } from './status.ts';
