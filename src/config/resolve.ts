import { dirname, resolve as resolvePath } from 'node:path';
import { MillraceError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { environmentName, isOptionName, OPTIONS, type Option } from './option.ts';
import { toSettings, type NamedSettings, type OptionName, type Settings } from './settings.ts';

type OriginKind = 'default' | 'file' | 'environment' | 'flag';

/** Where the value of an option came from. */
export interface Origin {
  readonly kind: OriginKind;
  /** For people: `default`, `config.json: server.port`, `MILLRACE_PORT`, `--port`. */
  readonly text: string;
}

export interface ResolvedSettings {
  readonly settings: Settings;
  /** The same under the names that people use. */
  readonly named: Readonly<NamedSettings>;
  readonly origins: ReadonlyMap<OptionName, Origin>;
  readonly warnings: readonly string[];
}

export interface SettingSources {
  /** What the settings of another system say, by our names; all that is ours beats it. */
  readonly foreign?: ReadonlyMap<OptionName, ForeignValue> | undefined;
  /** The file's section of options; `key`, where it is not `server`, is what it is called. */
  readonly file?: { readonly path: string; readonly section: unknown; readonly key?: string } | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Flags without dashes; texts as typed. */
  readonly flags?: Readonly<Record<string, string>> | undefined;
}

export interface ForeignValue {
  readonly value: unknown;
  readonly origin: Origin;
}

type Given = ForeignValue;

/**
 * Defaults < settings of another system < file < environment < flags, into one frozen object.
 * @throws MillraceError CONFIG_INVALID naming each fault with where it came from; `details.origin` is the first one's kind
 */
export function resolveSettings(sources: SettingSources): ResolvedSettings {
  const faults: Fault[] = [];
  const warnings: string[] = [];
  const given = new Map<OptionName, Given>([
    ...(sources.foreign ?? []),
    ...fromFile(sources.file, faults),
    ...fromEnvironment(sources.environment ?? {}, faults, warnings),
    ...fromFlags(sources.flags ?? {}, faults),
  ]);
  const values: Record<string, unknown> = {};
  const origins = new Map<OptionName, Origin>();
  for (const [name, option] of OPTIONS) {
    const { value, origin } = given.get(name) ?? DEFAULT;
    const parsed = option.schema.safeParse(value);
    if (!parsed.success) faults.push(wrongValue(option, value, origin));
    else if (parsed.data !== undefined) values[name] = parsed.data;
    origins.set(name, origin);
  }
  faults.push(...contradictions(given), ...tlsFaults(given));
  const [first] = faults;
  if (first !== undefined) {
    throw new MillraceError('CONFIG_INVALID', faults.map(({ message }) => message).join('; '), {
      details: { origin: first.kind },
    });
  }
  const named = Object.freeze(values) as NamedSettings;
  return { settings: toSettings(named), named, origins, warnings };
}

const DEFAULT: Given = { value: undefined, origin: { kind: 'default', text: 'default' } };

interface Fault {
  readonly kind: OriginKind;
  readonly message: string;
}

type Entries = (readonly [OptionName, Given])[];

function fromFile(file: SettingSources['file'], faults: Fault[]): Entries {
  if (file?.section === undefined) return [];
  const { path, section, key: place = 'server' } = file;
  if (section === null || typeof section !== 'object' || Array.isArray(section)) {
    faults.push({ kind: 'file', message: `${path}: ${place}: ${show(section)} given, an object expected` });
    return [];
  }
  const entries: Entries = [];
  const known = [...OPTIONS.values()].filter(({ isFileless }) => !isFileless).map(({ name }) => name);
  for (const [key, value] of Object.entries(section as Record<string, unknown>)) {
    const option = isOptionName(key) ? OPTIONS.get(key) : undefined;
    const text = `${path}: ${place}.${key}`;
    if (option === undefined) {
      faults.push({ kind: 'file', message: `${path}: ${place}: unknown key "${key}"${didYouMean(key, known)}` });
    } else if (option.isFileless) {
      faults.push({ kind: 'file', message: `${text}: only as --${key} or ${environmentName(option.name)}` });
    } else {
      // As the paths of servables: from where the file is.
      const isPath = option.unit === 'file' && typeof value === 'string';
      const meant = isPath ? resolvePath(dirname(path), value) : canonical(option, value);
      entries.push([option.name, { value: meant, origin: { kind: 'file', text } }]);
    }
  }
  return entries;
}

/** What Kubernetes sets for a service called "millrace" or "millrace-…"; not ours. */
const KUBERNETES = /^MILLRACE_(.+_)?(SERVICE_(HOST|PORT)(_.*)?|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)$/;
/** Of `millrace infer` and its like, which may run in the same shell. */
const CLIENT_TOKEN = 'MILLRACE_TOKEN';
const KUBERNETES_LINK = /^MILLRACE_(.+_)?PORT$/;

function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  faults: Fault[],
  warnings: string[],
): Entries {
  const entries: Entries = [];
  const known = [...OPTIONS.keys()].map(environmentName);
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || !variable.startsWith('MILLRACE_') || KUBERNETES.test(variable)) continue;
    if (variable === CLIENT_TOKEN) continue;
    const name = variable.slice('MILLRACE_'.length).toLowerCase();
    if (KUBERNETES_LINK.test(variable) && /^(tcp|udp|sctp):\/\//.test(text)) {
      const service = variable.slice(0, -'_PORT'.length).toLowerCase().replaceAll('_', '-');
      warnings.push(`${variable}=${text} is Kubernetes' link to a service called "${service}", so it is ignored`);
    } else if (isOptionName(name) && variable === environmentName(name)) {
      entries.push([name, { value: fromText(name, text), origin: { kind: 'environment', text: variable } }]);
    } else {
      const message = `unknown environment variable ${variable}${didYouMean(variable, known)}`;
      faults.push({ kind: 'environment', message });
    }
  }
  return entries;
}

function fromFlags(flags: Readonly<Record<string, string>>, faults: Fault[]): Entries {
  const entries: Entries = [];
  for (const [flag, text] of Object.entries(flags)) {
    if (isOptionName(flag)) {
      entries.push([flag, { value: fromText(flag, text), origin: { kind: 'flag', text: `--${flag}` } }]);
    } else faults.push({ kind: 'flag', message: `unknown flag --${flag}${didYouMean(flag, OPTIONS.keys())}` });
  }
  return entries;
}

/** The value that a text stands for; the text itself where it is none, which then fails with what was expected. */
function fromText(name: OptionName, text: string): unknown {
  const option = OPTIONS.get(name);
  switch (option?.type) {
    case 'integer':
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    case 'boolean':
      return { true: true, false: false, '1': true, '0': false }[text.trim().toLowerCase()] ?? text;
    case 'array':
      return text.split(',').flatMap((item) => (item.trim() === '' ? [] : [item.trim()]));
    case 'object':
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return text;
      }
    case 'string':
      return canonical(option, text);
    case undefined:
      return text;
  }
}

/** Enumerated values in any case and by their synonyms, as OVMS's `--log_level WARNING`. */
function canonical(option: Option, value: unknown): unknown {
  if (option.values === undefined || typeof value !== 'string') return value;
  const lower = value.toLowerCase();
  return option.synonyms[lower] ?? (option.values.includes(lower) ? lower : value);
}

function wrongValue(option: Option, value: unknown, { kind, text }: Origin): Fault {
  const unit = option.unit === '' || option.type === 'object' || option.type === 'array' ? '' : ` (${option.unit})`;
  return { kind, message: `${text}: ${show(value)} given, ${option.expected}${unit} expected` };
}

function show(value: unknown): string {
  return JSON.stringify(value);
}

/** A certificate has its key, and what else is for TLS needs both. */
function tlsFaults(given: ReadonlyMap<OptionName, Given>): Fault[] {
  const faults: Fault[] = [];
  const needs = (name: OptionName, other: OptionName): void => {
    const origin = given.get(name)?.origin;
    if (origin === undefined || given.has(other)) return;
    faults.push({ kind: origin.kind, message: `${origin.text}: needs ${other} too` });
  };
  needs('tls_cert', 'tls_key');
  needs('tls_key', 'tls_cert');
  needs('tls_client_ca', 'tls_cert');
  needs('tls_listeners', 'tls_cert');
  return faults;
}

/** One servable from flags, a repository, or a file: only one of them, and the flags of the one servable only with it. */
function contradictions(given: ReadonlyMap<OptionName, Given>): Fault[] {
  const repository = given.get('model_repository')?.origin;
  const other = (['config_path', 'model_path', 'model_name'] as const).find((name) => given.has(name));
  if (repository !== undefined && other !== undefined) {
    const message = `${repository.text}: not together with ${other}; the repository says what is served`;
    return [{ kind: repository.kind, message }];
  }
  const loaded = given.get('load_model')?.origin;
  if (loaded !== undefined && given.get('model_control_mode')?.value !== 'explicit') {
    return [{ kind: loaded.kind, message: `${loaded.text}: needs model_control_mode explicit; else all models load` }];
  }
  const single = (['model_name', 'model_path', 'target_device', 'plugin_config', 'nireq'] as const).filter((name) =>
    given.has(name),
  );
  const [first] = single;
  if (first === undefined) return [];
  const origin = given.get(first)?.origin ?? DEFAULT.origin;
  const fault = (message: string): Fault[] => [{ kind: origin.kind, message: `${origin.text}: ${message}` }];
  if (given.has('config_path')) return fault(`not together with config_path, whose file says what is served`);
  if (!given.has('model_path')) return fault('needs model_path too');
  if (!given.has('model_name')) return fault('needs model_name too');
  return [];
}
