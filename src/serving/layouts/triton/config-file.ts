import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileFault } from '../../../base/file-fault.ts';
import { modelConfig, type ModelConfig } from './model-config.ts';
import { readJson } from './read-json.ts';
import { emptyValue, readText } from './read-message.ts';

/** A configuration with what messages about it need. */
export interface ConfigFile {
  readonly config: ModelConfig;
  /** False: there is no config.pbtxt that counts; what a load request does not say is found out from the model. */
  readonly isGiven: boolean;
  /** `NAME/config.pbtxt`, with the line where `field` was first given: `NAME/config.pbtxt:3: field`. */
  readonly place: (field: string) => string;
  /** Whether the file says anything of that field. */
  readonly has: (field: string) => boolean;
}

/**
 * Reads `config.pbtxt` of a model's folder; one that is not there is empty.
 * @throws Error naming each field that cannot be taken, with its line
 */
export async function readConfigFile(folder: string, name: string): Promise<ConfigFile> {
  const where = `${name}/config.pbtxt`;
  let text: string;
  try {
    text = await readFile(join(folder, 'config.pbtxt'), 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      throw new Error(`${where}: ${fileFault(error)}`, { cause: error });
    }
    const config = Object.fromEntries(
      Object.entries(modelConfig.fields).map(([field, type]) => [field, emptyValue(type)]),
    ) as ModelConfig;
    return { config, isGiven: false, place: (field) => `${where}: ${field}`, has: () => false };
  }
  const { value, lines } = readText(modelConfig, text, where);
  const place = (field: string): string => {
    const line = lines.get(field);
    return `${where}${line === undefined ? '' : `:${line}`}: ${field}`;
  };
  return { config: value, isGiven: true, place, has: (field) => lines.has(field) };
}

/**
 * The configuration of a load request, in the place of `config.pbtxt`.
 * @throws Error naming each field that cannot be taken
 */
export function readGivenConfig(json: string): ConfigFile {
  const where = "load parameter 'config'";
  const { value, lines } = readJson(modelConfig, json, where);
  return {
    config: value,
    isGiven: false,
    place: (field) => `${where}: ${field}`,
    has: (field) => lines.has(field),
  };
}
