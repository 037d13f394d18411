import { dirname, extname, resolve } from 'node:path';
import { MillraceError } from '../../base/errors.ts';
import type { RuntimeSpec } from '../servable-spec.ts';
import type { EntryContext } from './entry.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { RuntimeEntry } from './ovms-schema.ts';
import { moduleFiles, pythonFiles } from './user-code.ts';

/** Import included: weights may take their time. */
const LOAD_TIMEOUT_MS = 600_000;

/** What depends on the language. */
interface Code {
  readonly spec: Pick<RuntimeSpec, 'language' | 'export' | 'isolation' | 'python'>;
  readonly files: readonly string[];
}

/**
 * A user's module. Its fingerprint covers the source files of its folder, since it may import them.
 * @throws MillraceError CONFIG_INVALID
 */
export async function readRuntimeEntry(entry: RuntimeEntry, context: EntryContext): Promise<RuntimeSpec> {
  const [file = '', exported] = entry.implementation.split('#');
  const module = resolve(context.folder, file);
  const isPython = extname(module) === '.py';
  const code = isPython ? await python(entry, module, exported) : await javascript(entry, module, file, exported);
  const spec = {
    kind: 'runtime' as const,
    name: entry.name,
    version: '1',
    maxSessions: entry.max_sessions,
    module,
    parameters: entry.parameters ?? {},
    instances: entry.instances ?? 1,
    loadTimeoutMs: entry.load_timeout_ms ?? LOAD_TIMEOUT_MS,
    callDeadlineMs: entry.call_deadline_ms ?? 0,
    ...code.spec,
  };
  return { ...spec, files: code.files, fingerprint: await fingerprintOf(spec, code.files) };
}

async function javascript(
  { isolation = 'own', instances }: RuntimeEntry,
  module: string,
  given: string,
  exported = 'default',
): Promise<Code> {
  if (isolation === 'shared' && instances !== undefined) {
    throw invalid(`instances: ${instances} given, but with isolation "shared" every shared host loads it`);
  }
  const files = await moduleFiles(module, 'implementation', given);
  return { spec: { language: 'javascript', export: exported, isolation }, files };
}

async function python(entry: RuntimeEntry, module: string, className: string | undefined): Promise<Code> {
  const { implementation, isolation = 'own' } = entry;
  if (className === undefined) {
    throw invalid(`implementation: "${implementation}" given, "${implementation}#ClassName" expected`);
  }
  if (isolation === 'shared') throw invalid('isolation: "shared" given, but Python needs a process of its own');
  const files = await pythonFiles(module, 'implementation');
  const importPaths = [dirname(module)];
  return { spec: { language: 'python', export: className, isolation, python: { importPaths } }, files };
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
