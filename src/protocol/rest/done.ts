import type { FastifyReply } from 'fastify';

/** The response of calls that answer nothing, for the documentation. */
export const DONE = { description: 'Done', type: 'null' };

/** Answers 200 with an empty body; of JSON, as Triton says. */
export function done(reply: FastifyReply): FastifyReply {
  return reply.code(200).header('content-type', 'application/json').send();
}
