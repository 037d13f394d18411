import { MillraceError } from '../../base/errors.ts';

/** What kind of value a load parameter has on its transport. */
export type LoadParameters = Readonly<Record<string, unknown>>;

/** What a load request gives in the place of a model's files. */
interface GivenModel {
  /** A `ModelConfig` as JSON. */
  readonly config: string;
  /** By their path in the model's folder. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Triton's text for a repository that a call names: there is one, without a name. */
export function refuseRepositoryName(name: string): void {
  if (name === '') return;
  throw new MillraceError('NOT_SUPPORTED', "'repository_name' specification is not supported");
}

/**
 * What a load request gives in the place of a model's files (KServe sheet §3.4): `config`, and `file:PATH`, whose value is
 * bytes over gRPC and base64 over REST. Undefined: nothing.
 * @throws MillraceError INVALID_PARAMETER
 */
export function readLoadOverride(parameters: LoadParameters): GivenModel | undefined {
  let config: string | undefined;
  const files = new Map<string, Uint8Array>();
  for (const [name, value] of Object.entries(parameters)) {
    if (name === 'config') {
      if (typeof value !== 'string') {
        throw invalid(name, "invalid value type for load parameter 'config', expected string_param.");
      }
      config = value;
    } else if (name.startsWith('file:')) files.set(name.slice('file:'.length), contentOf(name, value));
    else throw invalid(name, `unrecognized load parameter '${name}'.`);
  }
  if (config !== undefined) return { config, files };
  const [file] = files.keys();
  if (file === undefined) return undefined;
  throw invalid(`file:${file}`, `load parameter 'file:${file}' needs load parameter 'config' beside it`);
}

/** What no base64 has, padding aside. A pattern of its groups would need a stack as deep as there are. */
const NOT_BASE64 = /[^A-Za-z0-9+/]/;

function contentOf(name: string, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string') {
    throw invalid(name, `invalid value type for load parameter '${name}', expected bytes_param, or base64 over REST.`);
  }
  if (!isBase64(value)) throw invalid(name, `load parameter '${name}': base64 expected`);
  return Buffer.from(value, 'base64');
}

/** Padding may be left out. */
function isBase64(text: string): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.length - padding;
  return digits % 4 !== 1 && (padding === 0 || (digits + padding) % 4 === 0) && !NOT_BASE64.test(text.slice(0, digits));
}

/** Whether an unload request says that what the model is made of goes too. @throws MillraceError INVALID_PARAMETER */
export function unloadsDependents(parameters: LoadParameters): boolean {
  const value = parameters['unload_dependents'];
  if (value === undefined || typeof value === 'boolean') return value === true;
  throw invalid('unload_dependents', "invalid value type for 'unload_dependents' parameter, expected bool_param.");
}

/** A failure to load in Triton's codes and texts (KServe sheet §2.5); others stay as they are. */
export function toLoadFailure(thrown: unknown, model: string): MillraceError {
  const error = MillraceError.from(thrown);
  const { reason, details, message } = error;
  if (reason === 'SERVABLE_NOT_FOUND') {
    const text = `failed to load '${model}', failed to poll from model repository: ${message}`;
    return new MillraceError('SERVABLE_NOT_FOUND', text, { code: 'INTERNAL', details });
  }
  if (reason !== 'SERVABLE_NOT_READY') return error;
  const version = String(details['version'] ?? '') || '1';
  const why = message.replace(/^failed to load '[^]*?'(?: version [^:]*)?: /, '');
  const text = `load failed for model '${model}': version ${version} is at UNAVAILABLE state: ${why};\n`;
  return new MillraceError('SERVABLE_NOT_READY', text, { code: 'INVALID_ARGUMENT', details });
}

function invalid(name: string, message: string): MillraceError {
  return new MillraceError('INVALID_PARAMETER', message, { details: { parameter: name } });
}
