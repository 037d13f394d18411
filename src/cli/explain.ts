import { formatValue, OPTIONS } from '../config/option.ts';
import type { ResolvedSettings } from '../config/resolve.ts';
import type { ServerSettings } from '../serving/layouts/mlserver/server-settings.ts';
import type { LoadedServables, ServableSpec } from '../serving/servable-spec.ts';
import { formatTable } from './table.ts';

/** What `millrace config explain` prints: each option, its value and where that came from. */
export function explainSettings({ named, origins }: ResolvedSettings): string {
  const rows = [...OPTIONS.values()].map(({ name, unit }) => {
    const value = formatValue(named[name], unit);
    return [name, value === '' ? '-' : value, origins.get(name)?.text ?? ''];
  });
  return `${formatTable([['OPTION', 'VALUE', 'FROM'], ...rows])}\n`;
}

/** What it prints of an MLServer folder first: each field of its settings that was given. */
export function explainServerFields({ fields, origins }: ServerSettings): string {
  const rows = [...origins].map(([key, from]) => {
    return [key, formatValue((fields as Readonly<Record<string, unknown>>)[key], '') || '-', from];
  });
  return rows.length === 0 ? '' : `${formatTable([['MLSERVER FIELD', 'VALUE', 'FROM'], ...rows])}\n\n`;
}

/** What it prints after them: each servable that would be loaded, and from which file. */
export function explainServables({ specs }: LoadedServables): string {
  const rows = specs.map((spec) => [spec.name, spec.version, spec.kind, fileOf(spec)]);
  return `${formatTable([['SERVABLE', 'VERSION', 'KIND', 'FROM'], ...rows])}\n`;
}

function fileOf(spec: ServableSpec): string {
  switch (spec.kind) {
    case 'graph':
      return spec.graphPath;
    case 'model':
      return spec.path;
    case 'runtime':
      return spec.module;
    case 'ensemble':
      return spec.files[0] ?? '';
  }
}
