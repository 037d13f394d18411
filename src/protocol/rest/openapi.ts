import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { withOwnRoutes, type OpenapiDocument } from './own-route-docs.ts';
import type { RestParts } from './parts.ts';

/** Collects the schemas of the routes registered after it. @param rootPath where a proxy shows them; "" for where they are */
export async function describeRoutes(app: FastifyInstance, version: string, rootPath: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      ...(rootPath !== '' && { servers: [{ url: rootPath }] }),
      info: {
        title: 'Millrace',
        version,
        description: 'KServe v2 over REST, with binary tensors, generate and server-sent events.',
      },
    },
  });
}

/**
 * `/openapi.json`, and a page at `/docs` that shows it, from files of the package: it works offline. Both have the routes of
 * runtimes' own, as long as they are there.
 */
export async function openapiRoutes(app: FastifyInstance, { ownRoutes }: RestParts): Promise<void> {
  app.get('/openapi.json', { schema: { hide: true } }, async (request) =>
    withOwnRoutes(app.swagger() as unknown as OpenapiDocument, ownRoutes, request),
  );
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    transformSpecification: (document, request) =>
      withOwnRoutes(document as unknown as OpenapiDocument, ownRoutes, request),
  });
}
