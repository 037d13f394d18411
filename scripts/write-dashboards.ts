/** Writes `extras/grafana/dashboards/*.json` from their tables: `npm run dashboards`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DASHBOARDS } from '../extras/grafana/dashboards.ts';

const folder = fileURLToPath(new URL('../extras/grafana/dashboards/', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [file, dashboard] of DASHBOARDS)
  writeFileSync(`${folder}${file}`, `${JSON.stringify(dashboard, null, 2)}\n`);
