import { MillraceError } from '../base/errors.ts';
import type { CallContext } from './data-plane.ts';
import type { Entry } from './repository.ts';

/** Triton's text (KServe sheet §2.5); why, and what to do instead, where it is a runtime's own code. */
export function decoupledUnary({ kind, name }: Entry, via: CallContext['interface']): MillraceError {
  const where = via === 'gRPC' ? 'ModelInfer RPC' : 'HTTP end point';
  const instead = via === 'gRPC' ? 'ModelStreamInfer' : 'infer_stream or generate_stream';
  const why =
    kind === 'runtime' ? `: runtime '${name}' only streams (it has no predict, or is decoupled); use ${instead}` : '';
  const text = `${where} doesn't support models with decoupled transaction policy${why}`;
  return new MillraceError('DECOUPLED_UNARY', text, { details: { servable: name } });
}
