import { resolve } from 'node:path';
import type { RuntimeSpec } from '../servable-spec.ts';
import type { EntryContext } from './entry.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { RuntimeEntry } from './ovms-schema.ts';
import { moduleFiles } from './user-code.ts';

/**
 * A user's module. Its fingerprint covers the source files of its folder, since it may import them.
 * @throws MillraceError CONFIG_INVALID
 */
export async function readRuntimeEntry(entry: RuntimeEntry, context: EntryContext): Promise<RuntimeSpec> {
  const [file = '', exported] = entry.implementation.split('#');
  const module = resolve(context.folder, file);
  const files = await moduleFiles(module, 'implementation', file);
  const spec = {
    kind: 'runtime' as const,
    language: 'javascript' as const,
    name: entry.name,
    version: '1',
    maxSessions: entry.max_sessions,
    module,
    export: exported ?? 'default',
    parameters: entry.parameters ?? {},
    isolation: entry.isolation ?? ('own' as const),
    instances: 1,
    loadTimeoutMs: 0,
    callDeadlineMs: 0,
  };
  return { ...spec, files, fingerprint: await fingerprintOf(spec, files) };
}
