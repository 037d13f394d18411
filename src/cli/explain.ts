import { formatValue, OPTIONS } from '../config/option.ts';
import type { ResolvedSettings } from '../config/resolve.ts';
import { formatTable } from './table.ts';

/** What `millrace config explain` prints: each option, its value and where that came from. */
export function explainSettings({ named, origins }: ResolvedSettings): string {
  const rows = [...OPTIONS.values()].map(({ name, unit }) => {
    const value = formatValue(named[name], unit);
    return [name, value === '' ? '-' : value, origins.get(name)?.text ?? ''];
  });
  return `${formatTable([['OPTION', 'VALUE', 'FROM'], ...rows])}\n`;
}
