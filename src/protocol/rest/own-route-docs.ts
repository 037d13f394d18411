import type { FastifyRequest } from 'fastify';
import { placeholdersOf } from '../../base/path-pattern.ts';
import { visible } from '../../security/grant.ts';
import type { ListedRoute, OwnRoutes } from '../../serving/own-routes.ts';

type Operations = Readonly<Record<string, object>>;

/** The part of an OpenAPI document that is looked at. */
export interface OpenapiDocument {
  readonly info: { readonly title: string };
  readonly paths?: Readonly<Record<string, Operations>>;
}

/** Schemas of placeholders, by their kinds. */
const SCHEMAS: Readonly<Record<string, object>> = {
  int: { type: 'integer', minimum: 0 },
  float: { type: 'number', minimum: 0 },
  uuid: { type: 'string', format: 'uuid' },
};

/**
 * An OpenAPI document with the routes of runtimes' own, each under a tag that is its servable's name.
 * @param request leaves out those that its caller may not know of
 */
export function withOwnRoutes<Document extends OpenapiDocument>(
  document: Document,
  routes: OwnRoutes | undefined,
  { grant }: FastifyRequest,
): Document {
  const listed = routes?.list().map((route) => ({ ...route, name: route.servable })) ?? [];
  return { ...document, paths: addOwnRoutes(document.paths ?? {}, visible(grant, listed)) };
}

/** OpenAPI's paths, with those of runtimes' own. */
export function addOwnRoutes(
  paths: NonNullable<OpenapiDocument['paths']>,
  routes: readonly ListedRoute[],
): NonNullable<OpenapiDocument['paths']> {
  const all: Record<string, Operations> = { ...paths };
  for (const route of routes) {
    const path = route.path.replace(/\{(\w+):\w+\}/g, '{$1}');
    all[path] = { ...all[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return all;
}

/** What the runtime says of a route, and what its path does. */
function operationOf({ servable, path, operation = {} }: ListedRoute): object {
  const given = operation['parameters'];
  const said: readonly unknown[] = Array.isArray(given) ? given : [];
  const isSaid = (name: string): boolean =>
    said.some((each) => {
      const parameter = each as { readonly name?: unknown; readonly in?: unknown } | null;
      return parameter?.name === name && parameter.in === 'path';
    });
  const inPath = placeholdersOf(path)
    .filter(({ name }) => !isSaid(name))
    .map(({ name, kind }) => ({ name, in: 'path', required: true, schema: SCHEMAS[kind] ?? { type: 'string' } }));
  const parameters = [...inPath, ...said];
  return {
    summary: `A route of the runtime ${servable}`,
    responses: { 200: { description: 'What the runtime answers.' } },
    ...operation,
    tags: [servable],
    ...(parameters.length > 0 && { parameters }),
  };
}
