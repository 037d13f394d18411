import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MillraceError } from '../../../base/errors.ts';
import { didYouMean } from '../../../base/nearest.ts';
import { describeIssues } from '../../../base/schema-issues.ts';
import { readJsonFile } from '../json-file.ts';
import { findField, unknownVariables, type Variables } from './environment.ts';
import { isRecord, unknownKeys } from './fields.ts';
import { modelSchema, parametersSchema } from './model-schema.ts';
import { serverSchema, type ServerFields } from './server-schema.ts';

export const SERVER_PREFIX = 'MLSERVER_';
export const MODEL_PREFIX = 'MLSERVER_MODEL_';

/** The server's settings of an MLServer folder. */
export interface ServerSettings {
  readonly fields: ServerFields;
  /** Where each field that was given came from. */
  readonly origins: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/**
 * `settings.json` of the folder, which need not be there, over `MLSERVER_*` variables.
 * @throws MillraceError CONFIG_INVALID naming every field that cannot be taken, with where it came from
 */
export async function readServerSettings(folder: string, variables: Variables): Promise<ServerSettings> {
  const path = join(folder, 'settings.json');
  const isThere = (await stat(path).catch(() => undefined))?.isFile() === true;
  const content = isThere ? await readJsonFile(path) : {};
  if (!isRecord(content)) throw invalid(`${path}: a JSON object expected`);
  const given: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  const faults: string[] = [];
  for (const [key, schema] of Object.entries(serverSchema.shape)) {
    const found = findField(key, schema, { name: path, content }, variables, SERVER_PREFIX);
    if (found === undefined) continue;
    const parsed = schema.safeParse(found.value);
    if (!parsed.success) {
      faults.push(describeIssues(parsed.error, found.value, found.from));
      continue;
    }
    given[key] = parsed.data;
    origins.set(key, found.from);
  }
  if (faults.length > 0) throw invalid(faults.join('; '));
  const known = Object.keys(serverSchema.shape);
  return {
    fields: given,
    origins,
    warnings: [
      ...unknownKeys(content, serverSchema).map(
        (key) => `${path}: unknown key "${key}" is ignored${didYouMean(key, known)}`,
      ),
      ...unknownVariables(variables, knownVariables()).map(
        (name) => `unknown variable ${name} is ignored${didYouMean(name, knownVariables())}`,
      ),
      ...known.flatMap((key) => unusedWarning(key, given, origins)),
    ],
  };
}

/** The folder whose models are served: the one of the command, else the one that the settings name; absolute. */
export function modelsFolder(
  folder: string | undefined,
  { model_repository_root: root }: ServerFields,
  workingFolder: string,
): string {
  return resolve(workingFolder, folder ?? root ?? '.');
}

/** `cors_settings` with its defaults; undefined where nothing is allowed. */
export function corsOf({ cors_settings: cors }: ServerFields): CorsSettings | undefined {
  if (cors === null || cors === undefined) return undefined;
  return {
    allowOrigins: cors.allow_origins ?? [],
    allowOriginRegex: cors.allow_origin_regex ?? undefined,
    allowCredentials: cors.allow_credentials ?? false,
    allowMethods: cors.allow_methods ?? ['GET'],
    allowHeaders: cors.allow_headers ?? [],
    exposeHeaders: cors.expose_headers ?? [],
    maxAgeS: cors.max_age ?? 600,
  };
}

/** What pages of other origins may do in a browser. */
export interface CorsSettings {
  readonly allowOrigins: readonly string[];
  readonly allowOriginRegex: string | undefined;
  readonly allowCredentials: boolean;
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeS: number;
}

function unusedWarning(key: string, given: Readonly<Record<string, unknown>>, origins: ReadonlyMap<string, string>) {
  const schema = serverSchema.shape[key as keyof typeof serverSchema.shape];
  const { warn } = schema.meta() ?? {};
  const isGiven = given[key] !== undefined && given[key] !== null;
  return typeof warn === 'string' && isGiven ? [`${origins.get(key)}: ${warn}`] : [];
}

function knownVariables(): ReadonlySet<string> {
  const names = (prefix: string, shape: object): string[] =>
    Object.keys(shape).map((key) => `${prefix}${key.toUpperCase()}`);
  return new Set([
    ...names(SERVER_PREFIX, serverSchema.shape),
    ...names(MODEL_PREFIX, modelSchema.shape),
    ...names(MODEL_PREFIX, parametersSchema.shape),
  ]);
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
