import { basename, dirname } from 'node:path';
import type { z } from 'zod';
import { MillraceError } from '../../../base/errors.ts';
import { didYouMean } from '../../../base/nearest.ts';
import { describeIssues } from '../../../base/schema-issues.ts';
import { findField, type Variables } from './environment.ts';
import { isRecord, unknownKeys } from './fields.ts';
import { modelSchema, parametersSchema, type ModelFields, type ParameterFields } from './model-schema.ts';
import { MODEL_PREFIX } from './server-settings.ts';

/** One model as its file and the environment say. */
export interface ModelSettings {
  readonly name: string;
  /** "" where it has none. */
  readonly version: string;
  readonly fields: ModelFields;
  readonly parameters: ParameterFields;
  /** All that was given, unknown keys too, for the runtime. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
}

/**
 * What `content` says, over `MLSERVER_MODEL_*` variables, which stand in for keys that it lacks (MLServer sheet §4).
 * @param where the file as messages name it
 * @param path the file; undefined where there is none
 * @throws MillraceError CONFIG_INVALID naming every field that cannot be taken, with where it came from
 */
export function parseModelSettings(
  content: unknown,
  where: string,
  folder: string,
  path: string | undefined,
  variables: Variables,
): ModelSettings {
  if (!isRecord(content)) throw new MillraceError('CONFIG_INVALID', `${where}: a JSON object expected`);
  const faults: string[] = [];
  const given = collect(content, where, modelSchema.shape, variables, faults, ['parameters']);
  const inner = content['parameters'] ?? {};
  if (!isRecord(inner)) faults.push(`${where}: parameters: ${JSON.stringify(inner)} given, an object expected`);
  const parameters = isRecord(inner)
    ? collect(inner, `${where}: parameters`, parametersSchema.shape, variables, faults)
    : {};
  if (given['implementation'] === undefined && faults.length === 0) {
    faults.push(`${where}: implementation: missing, a class's path as "text_model.TextModel" or a file expected`);
  }
  if (faults.length > 0) throw new MillraceError('CONFIG_INVALID', faults.join('; '));
  const fields = given as unknown as ModelFields;
  const parsed = parameters as ParameterFields;
  const version = parsed.version ?? '';
  const name = fields.name === undefined || fields.name === '' ? basename(folder) : fields.name;
  return {
    name,
    version,
    fields,
    parameters: parsed,
    given: { ...content, ...given, name, parameters: { ...inner, ...parameters } },
    warnings: [
      ...unknownKeys(content, modelSchema).map(
        (key) => `${where}: unknown key "${key}" is ignored${didYouMean(key, Object.keys(modelSchema.shape))}`,
      ),
      ...folderWarning(name, version, where, path),
    ],
  };
}

/** The name and version that a file which cannot be taken would have, as well as can be told. */
export function nameOf(content: unknown, path: string): { readonly name: string; readonly version: string } {
  const outer = isRecord(content) ? content : {};
  const inner = isRecord(outer['parameters']) ? outer['parameters'] : {};
  const name = outer['name'];
  const version = inner['version'];
  return {
    name: typeof name === 'string' && name !== '' ? name : basename(dirname(path)),
    version: typeof version === 'string' ? version : '',
  };
}

function collect(
  content: Readonly<Record<string, unknown>>,
  where: string,
  shape: Readonly<Record<string, z.ZodType>>,
  variables: Variables,
  faults: string[],
  without: readonly string[] = [],
): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(shape)) {
    const found = without.includes(key)
      ? undefined
      : findField(key, schema, { name: where, content }, variables, MODEL_PREFIX);
    if (found === undefined) continue;
    const parsed = schema.safeParse(found.value);
    if (parsed.success) given[key] = parsed.data;
    else faults.push(describeIssues(parsed.error, found.value, found.from));
  }
  return given;
}

/** A version's folder may be called as the version, as in Triton's repositories. */
function folderWarning(name: string, version: string, where: string, path: string | undefined): string[] {
  if (path === undefined) return [];
  const folder = basename(dirname(path));
  return folder === name || folder === version
    ? []
    : [`${where}: the model's name "${name}" is not that of its folder "${folder}"`];
}
