import { MillraceError } from '../../base/errors.ts';

/** Parameters of MLServer's inputs and outputs that ask for what is not done, and what to do instead. */
const UNSUPPORTED = {
  shared_memory_region: "it is no part of MLServer's protocol; send the data in the request itself",
  classification: "it is no part of MLServer's protocol; take the scores and sort them",
} as const;

/**
 * Throws NOT_SUPPORTED for a parameter that changes where or what the data is.
 * @param field `input "x"` or `output "y"`
 */
export function refuseUnsupported(field: string, parameters: object | undefined, isMlserver: boolean): void {
  if (parameters === undefined || !isMlserver) return;
  for (const [key, text] of Object.entries(UNSUPPORTED)) {
    if (!(key in parameters)) continue;
    throw new MillraceError('NOT_SUPPORTED', `${field}: parameter "${key}": ${text}`, { details: { parameter: key } });
  }
}

/** Throws UNEXPECTED_OUTPUT for an output that was already asked for; else notes its name in `before`. */
export function refuseRepeated(output: string, before: Set<string>): void {
  if (before.has(output)) {
    throw new MillraceError('UNEXPECTED_OUTPUT', `output '${output}' already exists in request`, {
      details: { tensor: output },
    });
  }
  before.add(output);
}
