import { MillraceError } from '../../base/errors.ts';

/** The fault of a graph in a stream of inferences: a graph's stream is the life of its run. */
export function graphAmongModels(servable: string): MillraceError {
  return new MillraceError(
    'SERVABLE_MISMATCH',
    `'${servable}' is a graph and needs a stream of its own; this stream's first request named a model`,
    { details: { servable } },
  );
}
