import { z } from 'zod';

/** The parts of Grafana's dashboard schema 39 that ours use, all of them strict; an unknown field is a typing error. */

const DataSource = z.strictObject({ type: z.literal('prometheus'), uid: z.literal('${datasource}') });

const Target = z.strictObject({
  refId: z.string().regex(/^[A-Z]$/),
  datasource: DataSource,
  expr: z.string().min(1),
  legendFormat: z.string().min(1),
  format: z.enum(['time_series', 'heatmap', 'table']),
  instant: z.boolean().optional(),
  range: z.boolean().optional(),
});

const GridPos = z.strictObject({
  x: z.int().min(0).max(23),
  y: z.int().min(0),
  w: z.int().min(1).max(24),
  h: z.int().min(1),
});

const Row = z.strictObject({
  id: z.int().min(1),
  type: z.literal('row'),
  title: z.string().min(1),
  collapsed: z.literal(false),
  panels: z.array(z.never()),
  gridPos: GridPos,
});

const Panel = z.strictObject({
  id: z.int().min(1),
  type: z.enum(['timeseries', 'stat', 'bargauge', 'heatmap']),
  title: z.string().min(1),
  description: z.string().min(1),
  datasource: DataSource,
  gridPos: GridPos,
  fieldConfig: z.strictObject({
    defaults: z.strictObject({
      unit: z.enum(['short', 'percentunit', 'bytes', 's', 'µs', 'reqps', 'ops', 'cps', 'pps', 'fps']),
      min: z.number(),
      custom: z.record(z.string(), z.unknown()),
    }),
    overrides: z.array(z.never()),
  }),
  options: z.record(z.string(), z.unknown()),
  targets: z.array(Target).min(1).max(26),
});

const Variable = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('datasource'),
    name: z.literal('datasource'),
    label: z.string(),
    query: z.literal('prometheus'),
    hide: z.int(),
    refresh: z.int(),
  }),
  z.strictObject({
    type: z.literal('query'),
    name: z.string().regex(/^\w+$/),
    label: z.string(),
    datasource: DataSource,
    definition: z.string().regex(/^label_values\(.+, \w+\)$/),
    query: z.strictObject({ query: z.string(), refId: z.string() }),
    includeAll: z.literal(true),
    allValue: z.literal('.*'),
    multi: z.literal(true),
    current: z.strictObject({ text: z.array(z.string()), value: z.array(z.string()) }),
    refresh: z.int(),
    sort: z.int(),
    hide: z.int(),
  }),
]);

export const Dashboard = z.strictObject({
  uid: z.string().max(40),
  title: z.string().min(1),
  description: z.string().min(1),
  tags: z.array(z.string()),
  schemaVersion: z.literal(39),
  version: z.int(),
  editable: z.boolean(),
  graphTooltip: z.literal([0, 1, 2]),
  refresh: z.string().regex(/^\d+[smh]$/),
  time: z.strictObject({ from: z.string(), to: z.string() }),
  timezone: z.enum(['browser', 'utc']),
  links: z.array(z.record(z.string(), z.unknown())),
  annotations: z.strictObject({ list: z.array(z.never()) }),
  templating: z.strictObject({ list: z.array(Variable) }),
  panels: z.array(z.discriminatedUnion('type', [Row, Panel])),
});

export type Dashboard = z.infer<typeof Dashboard>;
