import { MillraceError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import type { ServableStatus } from './data-plane.ts';

/** The faults of requests for what is not there, or not ready; texts begin as Triton's (KServe sheet §2.5). */

/** The name is not among `known`. */
export function unknownServable(name: string, known: readonly string[]): MillraceError {
  const text = `Request for unknown model: '${name}' is not found${didYouMean(name, known)}`;
  return notFound('SERVABLE_NOT_FOUND', name, text);
}

/** Every version of it was asked to go. */
export function unloadedServable(name: string): MillraceError {
  const text = `Request for unknown model: '${name}' has no available versions: it was unloaded`;
  return notFound('SERVABLE_NOT_FOUND', name, text);
}

export function unknownVersion(name: string, version: string): MillraceError {
  return notFound('VERSION_NOT_FOUND', name, `Request for unknown model: '${name}' version ${version} is not found`);
}

/** The version is no number, and all that there are have numbers. */
export function malformedVersion(name: string, version: string): MillraceError {
  return new MillraceError(
    'VERSION_NOT_FOUND',
    version.startsWith('-')
      ? `invalid model version specified '${version}' for model '${name}'`
      : `failed to get model version from specified version string '${version}' for model '${name}': a number above 0 expected`,
    { code: 'INVALID_ARGUMENT', details: { servable: name, version } },
  );
}

export function notReady({ name, version, state, reason }: ServableStatus): MillraceError {
  return new MillraceError(
    'SERVABLE_NOT_READY',
    `Request for unknown model: '${name}'${version === '' ? '' : ` version ${version}`} is not at ready state: ${state}${reason === '' ? '' : `, ${reason}`}`,
    { details: { servable: name, version, state } },
  );
}

function notFound(reason: 'SERVABLE_NOT_FOUND' | 'VERSION_NOT_FOUND', name: string, message: string): MillraceError {
  return new MillraceError(reason, message, { details: { servable: name } });
}
