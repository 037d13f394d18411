import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

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

/** `/openapi.json`, and a page at `/docs` that shows it, from files of the package: it works offline. */
export async function openapiRoutes(app: FastifyInstance): Promise<void> {
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  await app.register(swaggerUi, { routePrefix: '/docs' });
}
