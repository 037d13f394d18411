import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServableMetadata } from '../../../serving/data-plane.ts';
import type { ListedRoute } from '../../../serving/own-routes.ts';
import type { TensorSpec } from '../../../tensor/tensor.ts';
import { addOwnRoutes, withOwnRoutes, type OpenapiDocument } from '../own-route-docs.ts';
import type { RestParts } from '../parts.ts';
import { MODEL_PATHS, modelOf } from '../schemas.ts';
import { pathOf } from '../root-path.ts';

interface Operation {
  readonly parameters?: readonly { readonly name: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, object>> };
}

/**
 * Pages that show the server's paths, and those of one model with a request that it would take, from files of the package
 * (MLServer's load theirs from elsewhere): `/v2/docs`, `/v2/models/{m}/docs`, and the documents at `…/docs/dataplane.json`.
 */
export async function mlserverDocsRoutes(app: FastifyInstance, { dataPlane, ownRoutes }: RestParts): Promise<void> {
  const schema = { hide: true };
  const document = (): OpenapiDocument => app.swagger() as unknown as OpenapiDocument;
  app.get('/v2/docs/dataplane.json', { schema }, (request) => withOwnRoutes(document(), ownRoutes, request));
  app.get('/v2/docs', { schema }, (request, reply) =>
    reply.type('text/html; charset=utf-8').send(page(request, 'Millrace')),
  );
  for (const path of MODEL_PATHS) {
    const metadataOf = (request: FastifyRequest): ServableMetadata => {
      const { servable, version } = modelOf(request);
      return dataPlane.metadata(servable, version);
    };
    app.get(`${path}/docs/dataplane.json`, { schema }, (request) => {
      const prefix = pathOf(request).replace(/\/docs\/dataplane\.json\/?$/, '');
      return modelDocument(document(), path, prefix, metadataOf(request), ownRoutes?.list());
    });
    app.get(`${path}/docs`, { schema }, (request, reply) =>
      reply.type('text/html; charset=utf-8').send(page(request, metadataOf(request).name)),
    );
  }
}

/**
 * The paths of one model, its name filled in, and the routes of its own.
 * @param prefix of its paths, as the client wrote it
 */
export function modelDocument(
  document: OpenapiDocument,
  path: string,
  prefix: string,
  metadata: ServableMetadata,
  routes: readonly ListedRoute[] = [],
): object {
  const template = path.replace(/:(\w+)/g, '{$1}');
  const paths: Record<string, object> = {};
  for (const [each, operations] of Object.entries(document.paths ?? {})) {
    if (each !== template && !each.startsWith(`${template}/`)) continue;
    if (!template.includes('{version}') && each.startsWith(`${template}/versions/`)) continue;
    paths[decodeURI(prefix) + each.slice(template.length)] = Object.fromEntries(
      Object.entries(operations).map(([verb, operation]) => [verb, ofModel(operation, metadata)]),
    );
  }
  const own = routes.filter(({ servable }) => servable === metadata.name);
  Object.assign(paths, addOwnRoutes({}, own));
  return { ...document, info: { ...document.info, title: `Millrace: ${metadata.name}` }, paths };
}

function ofModel(operation: Operation, { inputs }: ServableMetadata): object {
  const { parameters, requestBody, ...rest } = operation;
  const left = (parameters ?? []).filter(({ name }) => name !== 'model' && name !== 'version');
  const example = { inputs: inputs.map(exampleOf) };
  const content: Record<string, object> = {};
  for (const [type, media] of Object.entries(requestBody?.content ?? {})) content[type] = { ...media, example };
  return {
    ...rest,
    ...(left.length > 0 && { parameters: left }),
    ...(requestBody !== undefined && { requestBody: { ...requestBody, content } }),
  };
}

/** At most this many elements are written out. */
const MAX_EXAMPLE = 64;

function exampleOf({ name, datatype, shape, parameters }: TensorSpec): object {
  const dims = shape.map((dim) => (dim < 0 ? 1 : dim));
  const count = dims.reduce((product, dim) => product * dim, 1);
  const element = datatype === 'BYTES' ? 'text' : datatype === 'BOOL' ? true : 0;
  return {
    name,
    shape: dims,
    datatype,
    ...(parameters !== undefined && { parameters }),
    data: Array.from({ length: Math.min(count, MAX_EXAMPLE) }, () => element),
  };
}

/** Swagger UI, whose files `/docs` serves; all addresses are relative, so that a proxy's prefix does no harm. */
function page(request: FastifyRequest, title: string): string {
  const path = pathOf(request).replace(/\/$/, '');
  const up = '../'.repeat(path.split('/').length - 2);
  const escaped = title.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
  // A trailing slash makes it a folder for the browser.
  const isFolder = pathOf(request).endsWith('/');
  const root = isFolder ? `../${up}` : up;
  const document = isFolder ? './dataplane.json' : './docs/dataplane.json';
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escaped}</title>
<link rel="stylesheet" href="${root}docs/static/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="${root}docs/static/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({ url: '${document}', dom_id: '#swagger-ui' });</script>
</body>
</html>
`;
}
