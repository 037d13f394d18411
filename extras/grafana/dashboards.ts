import { graphs } from './tables/graphs.ts';
import { models } from './tables/models.ts';
import { pipelines } from './tables/pipelines.ts';
import { streams } from './tables/streams.ts';
import { dashboardOf } from './panel.ts';

/** By name of the file in `dashboards/`. */
export const DASHBOARDS: ReadonlyMap<string, object> = new Map(
  [graphs, models, streams, pipelines].map((spec) => [`${spec.uid}.json`, dashboardOf(spec)]),
);
