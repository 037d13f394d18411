import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { DASHBOARDS } from '../../extras/grafana/dashboards.ts';
import { Dashboard } from '../support/grafana-dashboard.ts';
import { ROOT } from '../support/paths.ts';

const EXTRAS = join(ROOT, 'extras');
const FOLDER = join(EXTRAS, 'grafana/dashboards');
const files = await readdir(FOLDER);

describe.each(files)('%s', async (file) => {
  const written: unknown = JSON.parse(await readFile(join(FOLDER, file), 'utf8'));

  it('is what its table says; otherwise run `npm run dashboards`', () => {
    expect(written).toEqual(DASHBOARDS.get(file));
  });

  it('is a dashboard as Grafana has them', () => {
    expect(Dashboard.parse(written).uid).toBe(file.replace('.json', ''));
  });

  it('has panels that do not lie over each other, each with an id of its own', () => {
    const { panels } = Dashboard.parse(written);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
  });

  it('uses the variables that it declares, all of them and no others', () => {
    const { panels, templating } = Dashboard.parse(written);
    const queries = panels.flatMap((panel) => (panel.type === 'row' ? [] : panel.targets.map(({ expr }) => expr)));
    const declared = templating.list.map(({ name }) => name).filter((name) => name !== 'datasource');
    const definitions = templating.list.flatMap((variable) => (variable.type === 'query' ? [variable.definition] : []));
    const used = (texts: readonly string[]): Set<string> =>
      new Set(texts.flatMap((text) => [...text.matchAll(/\$(\w+)/g)].map(([, name = '']) => name)));
    const inQueries = used(queries);
    inQueries.delete('__rate_interval');
    expect(inQueries).toEqual(new Set(declared));
    expect(declared).toEqual(expect.arrayContaining([...used(definitions)]));
  });
});

test('every table has its file', () => {
  expect(files.toSorted()).toEqual([...DASHBOARDS.keys()].toSorted());
});

describe('compose.yaml', async () => {
  const text = await readFile(join(EXTRAS, 'compose.yaml'), 'utf8');
  const all = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found = '']) => found);

  it('names a version of each image', () => {
    const images = all(/^ +image: (.+)$/gm);
    expect(images).toHaveLength(3);
    for (const image of images) expect(image).toMatch(/^[\w/.-]+:v?\d+\.\d+\.\d+$/);
  });

  it('mounts files that are there, for reading alone', () => {
    const mounts = all(/^ +- (\.\/.+)$/gm);
    expect(mounts).toHaveLength(3);
    for (const mount of mounts) {
      expect(mount).toMatch(/:ro$/);
      expect(existsSync(join(EXTRAS, mount.split(':')[0] ?? ''))).toBe(true);
    }
  });

  it('opens ports to this machine alone', () => {
    const ports = all(/'([\d.]*:?\d+:\d+)'/g);
    expect(ports).toHaveLength(4);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });
});
