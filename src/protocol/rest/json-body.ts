import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { prettifyError } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { parseJson, type JsonObject } from '../wire/json-reader.ts';
import { bodyOf } from './body.ts';

/**
 * The body as an object; an empty one where it may be left out.
 * @param what of the request, for messages: "load request"
 * @throws MillraceError MALFORMED_REQUEST
 */
export function readJsonObject(request: FastifyRequest, what: string, mayBeEmpty: boolean): JsonObject {
  const body = bodyOf(request);
  if (body.length === 0 && mayBeEmpty) return {};
  const value = parseJson(body);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new MillraceError('MALFORMED_REQUEST', `the request body is no ${what}: a JSON object expected`);
}

/** The body as `schema` has it. Integers are bigints there. @throws MillraceError MALFORMED_REQUEST */
export function readBodyAs<Schema extends z.ZodType>(
  request: FastifyRequest,
  what: string,
  schema: Schema,
  mayBeEmpty: boolean,
): z.infer<Schema> {
  const result = schema.safeParse(readJsonObject(request, what, mayBeEmpty));
  if (result.success) return result.data;
  throw new MillraceError('MALFORMED_REQUEST', `the request body is no ${what}: ${prettifyError(result.error)}`);
}
