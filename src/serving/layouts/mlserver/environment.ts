import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { z } from 'zod';

/** Variables by upper-case name: MLServer takes them in any case. */
export interface Variables {
  readonly process: ReadonlyMap<string, string>;
  /** Of the file `.env` in the working directory. */
  readonly dotenv: ReadonlyMap<string, string>;
  /** That file, there or not: to watch. */
  readonly dotenvPath: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** MLServer's variables: those of the process, which win, and those of `.env` (its sheet, §3). */
export async function readVariables(environment: Environment, workingFolder: string): Promise<Variables> {
  const dotenvPath = join(workingFolder, '.env');
  const content = await readFile(dotenvPath, 'utf8').catch(() => '');
  return { process: upperCase(environment), dotenv: upperCase(parseEnv(content)), dotenvPath };
}

function upperCase(environment: Environment): ReadonlyMap<string, string> {
  const entries = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined || !/^mlserver_/i.test(name) ? [] : [[name.toUpperCase(), value] as const],
  );
  return new Map(entries);
}

/** A value and, for people, where it was found: `settings.json: host`, `MLSERVER_HOST`, `.env: MLSERVER_HOST`. */
export interface Found {
  readonly value: unknown;
  readonly from: string;
}

/** The field of a file, or else of the environment; undefined where it is in neither. */
export function findField(
  key: string,
  schema: z.ZodType,
  file: { readonly name: string; readonly content: Readonly<Record<string, unknown>> },
  variables: Variables,
  prefix: string,
): Found | undefined {
  if (Object.hasOwn(file.content, key)) return { value: file.content[key], from: `${file.name}: ${key}` };
  const name = `${prefix}${key.toUpperCase()}`;
  const own = variables.process.get(name);
  if (own !== undefined) return { value: fromText(own, schema), from: name };
  const other = variables.dotenv.get(name);
  return other === undefined ? undefined : { value: fromText(other, schema), from: `.env: ${name}` };
}

/** A variable's text as it is where a text will do, else the JSON in it; what is no JSON is left for the schema to refuse. */
function fromText(value: string, schema: z.ZodType): unknown {
  if (schema.safeParse(value).success) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** Variables with MLServer's prefix that are no field of it, as a slip of the pen would be. */
export function unknownVariables(variables: Variables, known: ReadonlySet<string>): string[] {
  const names = new Set([...variables.process.keys(), ...variables.dotenv.keys()]);
  return [...names].filter((name) => !known.has(name) && !OTHERS.test(name)).sort();
}

/** Of its command line and image, and what Kubernetes sets for a service called "mlserver". */
const OTHERS = /^MLSERVER_(INFER_.*|MODELS_DIR|ENV_TARBALL|PATH|(.+_)?SERVICE_(HOST|PORT)(_.*)?|(.+_)?PORT(_\d+_.*)?)$/;
