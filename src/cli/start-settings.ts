import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { MlserverOptions } from '../app/mlserver-options.ts';
import { messageOf, MillraceError } from '../base/errors.ts';
import { isOptionName, OPTIONS } from '../config/option.ts';
import { resolveSettings, type ForeignValue, type ResolvedSettings } from '../config/resolve.ts';
import type { OptionName } from '../config/settings.ts';
import { readVariables } from '../serving/layouts/mlserver/environment.ts';
import { loadMlserverFolder } from '../serving/layouts/mlserver/mlserver-folder.ts';
import {
  corsOf,
  modelsFolder,
  readServerSettings,
  type ServerSettings,
} from '../serving/layouts/mlserver/server-settings.ts';
import type { LoadedServables } from '../serving/servable-spec.ts';
import { UsageError } from './usage-error.ts';

export interface StartSources {
  /** As typed; undefined: the working folder, or the one that the settings name. */
  readonly folder: string | undefined;
  readonly flags: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly workingFolder: string;
}

/** All that `millrace start` needs of its folder. */
export interface StartPlan {
  /** Absolute: where the models are. */
  readonly root: string;
  readonly resolved: ResolvedSettings;
  readonly server: ServerSettings;
  readonly mlserver: MlserverOptions;
  readonly loadServables: () => Promise<LoadedServables>;
  /** For the log: what a user of MLServer may not expect. */
  readonly notes: readonly string[];
}

/** MLServer's defaults that are ours in such a folder, too. */
const DEFAULTS: Readonly<Partial<Record<OptionName, number>>> = { mlserver_port: 8081, metrics_port: 8082, hosts: 1 };

/**
 * Reads an MLServer folder's settings: `settings.json` over `MLSERVER_*` over `.env`, beaten by the options of Millrace.
 * @throws UsageError where the folder is none; MillraceError CONFIG_INVALID naming each setting that cannot be taken
 */
export async function planStart({ folder, flags, variables, workingFolder }: StartSources): Promise<StartPlan> {
  const settingsFolder = resolve(workingFolder, folder ?? '.');
  await checkFolder(settingsFolder, folder ?? '.');
  const mlserverVariables = await readVariables(variables, workingFolder);
  const server = await readServerSettings(settingsFolder, mlserverVariables);
  const root = modelsFolder(folder, server.fields, workingFolder);
  if (root !== settingsFolder) await checkFolder(root, `${server.origins.get('model_repository_root')}: ${root}`);
  const { resolved, notes } = resolveWith(server, { flags, variables, settingsFolder });
  refuseOtherSources(resolved);
  const options = { root, workingFolder, server: server.fields, runDeadlineMs: resolved.settings.runDeadlineMs };
  const environment = resolved.settings.python === undefined ? variables : { ...variables, MILLRACE_PYTHON: 'set' };
  return {
    root,
    resolved: { ...resolved, warnings: [...resolved.warnings, ...server.warnings] },
    server,
    mlserver: mlserverOptions(server),
    loadServables: () => loadMlserverFolder({ ...options, environment }),
    notes,
  };
}

async function checkFolder(path: string, given: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => messageOf(error));
  if (typeof found === 'string') throw new UsageError(`${given}: no such folder`, HELP);
  if (!found.isDirectory()) throw new UsageError(`${given}: a file given, the folder that holds it expected`, HELP);
}

const HELP = 'millrace start --help';

interface OptionSources {
  readonly flags: StartSources['flags'];
  readonly variables: StartSources['variables'];
  readonly settingsFolder: string;
}

function resolveWith(
  server: ServerSettings,
  { flags, variables, settingsFolder }: OptionSources,
): { readonly resolved: ResolvedSettings; readonly notes: readonly string[] } {
  const foreign = foreignValues(server);
  const path = join(settingsFolder, 'settings.json');
  const file = { path, section: server.fields.millrace, key: 'millrace' };
  const resolve = (): ResolvedSettings => resolveSettings({ foreign, file, environment: variables, flags });
  const resolved = resolve();
  const { settings, origins } = resolved;
  const notes: string[] = [];
  if (settings.restBindAddress === '127.0.0.1' && origins.get('rest_bind_address')?.kind === 'default') {
    notes.push(
      'only this machine can connect (127.0.0.1); MLServer listens on 0.0.0.0: set host in settings.json for that',
    );
  }
  // Port 9000 is not MLServer's, so its folders may use it.
  const taken = [settings.restPort, settings.mlserverPort, settings.metricsPort];
  if (origins.get('port')?.kind !== 'default' || !taken.includes(settings.port)) return { resolved, notes };
  notes.push(
    `port ${settings.port} is used by these settings, so gRPC in Triton's dialect takes any free one; --port chooses one`,
  );
  foreign.set('port', { value: 0, origin: STANDARD });
  return { resolved: resolve(), notes };
}

const STANDARD = { kind: 'default', text: 'default of millrace start' } as const;

/** MLServer's settings by the names of our options. */
function foreignValues({ fields, origins }: ServerSettings): Map<OptionName, ForeignValue> {
  const values = new Map<OptionName, ForeignValue>();
  for (const [name, value] of Object.entries(DEFAULTS)) {
    if (isOptionName(name)) values.set(name, { value, origin: STANDARD });
  }
  const set = (name: OptionName, value: unknown, key: string): void => {
    const text = origins.get(key) ?? key;
    if (value !== undefined && value !== null) values.set(name, { value, origin: { kind: 'file', text } });
  };
  set('rest_bind_address', fields.host, 'host');
  set('grpc_bind_address', fields.host, 'host');
  set('rest_port', fields.http_port, 'http_port');
  set('mlserver_port', fields.grpc_port, 'grpc_port');
  set('metrics_port', fields.metrics_port, 'metrics_port');
  if (fields.grpc_max_message_length !== -1) {
    set('grpc_max_message_bytes', fields.grpc_max_message_length, 'grpc_max_message_length');
  }
  set('shutdown_grace_s', fields.parallel_workers_timeout, 'parallel_workers_timeout');
  if (fields.debug === true) set('log_level', 'debug', 'debug');
  const { metrics_endpoint: metrics } = fields;
  if (metrics === null || metrics === '') set('metrics_enable', false, 'metrics_endpoint');
  return values;
}

function mlserverOptions({ fields }: ServerSettings): MlserverOptions {
  return {
    serverName: fields.server_name,
    serverVersion: fields.server_version,
    extensions: fields.extensions ?? [],
    gzip: fields.gzip_enabled ?? true,
    rootPath: fields.root_path ?? '',
    cors: corsOf(fields),
    metricsPath: fields.metrics_endpoint || '/metrics',
    metricsPrefix: fields.metrics_rest_server_prefix ?? 'rest_server',
    loadsAtOnce: fields.load_models_at_startup ?? true,
    cacheEntries: fields.cache_enabled === true ? (fields.cache_size ?? 100) : 0,
  };
}

/** The folder says what is served. */
function refuseOtherSources({ origins }: ResolvedSettings): void {
  for (const { name, group } of OPTIONS.values()) {
    const origin = origins.get(name);
    if (group !== SOURCE_GROUP || origin === undefined || origin.kind === 'default') continue;
    throw new MillraceError(
      'CONFIG_INVALID',
      `${origin.text}: not with millrace start, where the folder says what is served; use millrace serve`,
      { details: { origin: origin.kind } },
    );
  }
}

const SOURCE_GROUP = 'What is served';
