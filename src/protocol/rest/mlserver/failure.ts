import type { MillraceError, Reason } from '../../../base/errors.ts';
import { mlserverStatus, mlserverText } from '../../wire/mlserver-faults.ts';
import type { FailureForm } from '../failure.ts';
import { httpStatus } from '../status.ts';
import { schemaFaults, type SchemaFault } from './schema-faults.ts';

/** Reasons whose fault may be one of the body's form, which MLServer finds before anything else. */
const OF_THE_BODY: ReadonlySet<Reason> = new Set<Reason>([
  'MALFORMED_REQUEST',
  'WRONG_DATATYPE',
  'WRONG_SHAPE',
  'MISSING_INPUT',
  'INVALID_PARAMETER',
]);

const NOWHERE = { servable: '', version: '' };

/**
 * MLServer's answers to failures (its sheet, §9): 422 with a list of faults for a body that is not as the schema has it,
 * else `{"error": text}`.
 */
export const mlserverFailure: FailureForm = (error, { ref, body }) => {
  const faults = body === undefined || !OF_THE_BODY.has(error.reason) ? [] : schemaFaults(body);
  if (faults.length > 0) return unprocessable(faults);
  if (error.reason === 'MALFORMED_REQUEST' && ref !== undefined) return unprocessable([generalFault(error)]);
  const text = mlserverText(error, ref ?? NOWHERE, false);
  return { status: mlserverStatus(error) ?? httpStatus(error), body: JSON.stringify({ error: text }) };
};

/** FastAPI's answer to a body that is not as its schema has it. */
export function unprocessable(detail: readonly SchemaFault[]): { status: number; body: string } {
  return { status: 422, body: JSON.stringify({ detail }) };
}

/** A body that only our reader refuses, a key given twice for example. */
function generalFault(error: MillraceError): SchemaFault {
  return { type: 'value_error', loc: ['body'], msg: error.message, input: null };
}
