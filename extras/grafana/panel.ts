/** What a dashboard of ours is made of, and how Grafana wants it (dashboard schema 39, Grafana 10 to 12). */

export interface Query {
  readonly expr: string;
  /** Of its series, e.g. "{{name}}". */
  readonly legend: string;
}

export interface PanelSpec {
  readonly title: string;
  /** What it tells and what to look for; shown beside the title. */
  readonly about: string;
  /** `buckets` is a bar per histogram bucket, `heatmap` the buckets over time. @default "lines" */
  readonly kind?: 'lines' | 'number' | 'buckets' | 'heatmap' | undefined;
  /** One of Grafana's: "µs", "s", "reqps", "percentunit", "short" … */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Of 24 columns. @default 8 */
  readonly width?: number | undefined;
  /** Lines add up. */
  readonly stacked?: boolean | undefined;
}

export interface DashboardSpec {
  /** Its file is `<uid>.json`. */
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  /** Chosen above the dashboard, used as `$name` in queries. */
  readonly variables: readonly {
    readonly name: string;
    readonly label: string;
    /** Whose values of `of` there are to choose from. */
    readonly metric: string;
    readonly of: string;
  }[];
  readonly rows: readonly { readonly title: string; readonly panels: readonly PanelSpec[] }[];
}

const COLUMNS = 24;
const HEIGHT = 8;
const TYPES = { lines: 'timeseries', number: 'stat', buckets: 'bargauge', heatmap: 'heatmap' } as const;
const SOURCE = { type: 'prometheus', uid: '${datasource}' } as const;

/** The dashboard as Grafana imports it. */
export function dashboardOf({ uid, title, about, variables, rows }: DashboardSpec): object {
  return {
    uid,
    title,
    description: about,
    tags: ['millrace'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-15m', to: 'now' },
    timezone: 'browser',
    links: [
      { type: 'dashboards', title: 'Millrace', tags: ['millrace'], asDropdown: true, includeVars: false, icon: '' },
    ],
    annotations: { list: [] },
    templating: { list: [dataSource(), ...variables.map(variableOf)] },
    panels: layOut(rows),
  };
}

function dataSource(): object {
  return { type: 'datasource', name: 'datasource', label: 'Prometheus', query: 'prometheus', hide: 0, refresh: 1 };
}

function variableOf({ name, label, metric, of }: DashboardSpec['variables'][number]): object {
  const query = `label_values(${metric}, ${of})`;
  return {
    type: 'query',
    name,
    label,
    datasource: SOURCE,
    definition: query,
    query: { query, refId: name },
    includeAll: true,
    allValue: '.*',
    multi: true,
    current: { text: ['All'], value: ['$__all'] },
    refresh: 2,
    sort: 1,
    hide: 0,
  };
}

/** From left to right and from top to bottom, each row under a heading. */
function layOut(rows: DashboardSpec['rows']): object[] {
  const panels: object[] = [];
  let top = 0;
  for (const { title, panels: specs } of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: at(0, top++, COLUMNS, 1),
    });
    let left = 0;
    for (const spec of specs) {
      const width = spec.width ?? 8;
      if (left + width > COLUMNS) [left, top] = [0, top + HEIGHT];
      panels.push(panelOf(spec, panels.length + 1, at(left, top, width, HEIGHT)));
      left += width;
    }
    top += HEIGHT;
  }
  return panels;
}

const at = (x: number, y: number, w: number, h: number): object => ({ x, y, w, h });

function panelOf(spec: PanelSpec, id: number, gridPos: object): object {
  const { title, about, kind = 'lines', unit, queries } = spec;
  const targets = queries.map(({ expr, legend }, index) => ({
    refId: String.fromCharCode('A'.charCodeAt(0) + index),
    datasource: SOURCE,
    expr,
    legendFormat: legend,
    format: kind === 'buckets' || kind === 'heatmap' ? 'heatmap' : 'time_series',
    ...(kind === 'buckets' && { instant: true, range: false }),
  }));
  const { options, custom } = lookOf(spec);
  return {
    id,
    type: TYPES[kind],
    title,
    description: about,
    datasource: SOURCE,
    gridPos,
    fieldConfig: { defaults: { unit: kind === 'buckets' ? 'short' : unit, min: 0, custom }, overrides: [] },
    options,
    targets,
  };
}

/** What differs by the type of a panel. */
function lookOf({ kind = 'lines', unit, stacked = false }: PanelSpec): { options: object; custom: object } {
  const last = { calcs: ['lastNotNull'], fields: '', values: false };
  switch (kind) {
    case 'lines':
      return {
        options: {
          legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
          tooltip: { mode: 'multi', sort: 'desc' },
        },
        custom: {
          drawStyle: 'line',
          lineWidth: 1,
          fillOpacity: stacked ? 30 : 10,
          showPoints: 'never',
          stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
        },
      };
    case 'number':
      return { options: { reduceOptions: last, colorMode: 'value', graphMode: 'area', textMode: 'auto' }, custom: {} };
    case 'buckets':
      return { options: { reduceOptions: last, displayMode: 'gradient', orientation: 'horizontal' }, custom: {} };
    case 'heatmap':
      return {
        options: {
          calculate: false,
          cellGap: 1,
          color: { mode: 'scheme', scheme: 'Spectral', steps: 64, fill: 'dark-orange', exponent: 0.5 },
          filterValues: { le: 1e-9 },
          rowsFrame: { layout: 'auto' },
          yAxis: { unit, axisPlacement: 'left', reverse: false },
          legend: { show: true },
          tooltip: { mode: 'single', yHistogram: true, showColorScale: true },
        },
        custom: {},
      };
  }
}
