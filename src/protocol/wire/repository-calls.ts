import { MillraceError } from '../../base/errors.ts';

/** What kind of value a load parameter has on its transport. */
export type LoadParameters = Readonly<Record<string, unknown>>;

/** Triton's text for a repository that a call names: there is one, without a name. */
export function refuseRepositoryName(name: string): void {
  if (name === '') return;
  throw new MillraceError('NOT_SUPPORTED', "'repository_name' specification is not supported");
}

/**
 * Refuses what a load request says beside the name (KServe sheet §3.4): a configuration comes from the files of the repository.
 * @throws MillraceError NOT_SUPPORTED, INVALID_PARAMETER
 */
export function checkLoadParameters(parameters: LoadParameters): void {
  for (const [name, value] of Object.entries(parameters)) {
    if (name === 'config' && typeof value !== 'string') {
      throw invalid(name, "invalid value type for load parameter 'config', expected string_param.");
    }
    if (name !== 'config' && !name.startsWith('file:')) throw invalid(name, `unrecognized load parameter '${name}'.`);
    throw new MillraceError(
      'NOT_SUPPORTED',
      `load parameter '${name}' is not supported: models are loaded as their files say; change those and load the model again`,
      { details: { parameter: name } },
    );
  }
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
  const why = message.replace(/^failed to load '[^]*?': /, '');
  const text = `load failed for model '${model}': version ${version} is at UNAVAILABLE state: ${why};\n`;
  return new MillraceError('SERVABLE_NOT_READY', text, { code: 'INVALID_ARGUMENT', details });
}

function invalid(name: string, message: string): MillraceError {
  return new MillraceError('INVALID_PARAMETER', message, { details: { parameter: name } });
}
