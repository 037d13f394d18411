import { MillraceError } from '../base/errors.ts';
import { decodedPath, PathPattern } from '../base/path-pattern.ts';
import type { RouteDescription, ServableDescription } from '../ipc/description.ts';
import type { Entry } from './repository.ts';

/** Where a request goes that a runtime has a route for. */
export interface OwnRoute {
  readonly servable: string;
  readonly version: string;
  /** As the runtime gave it, for metrics. */
  readonly pattern: string;
}

/** A route as it is described. */
export interface ListedRoute extends RouteDescription {
  readonly servable: string;
}

/** The path is a runtime's, but not with this method. */
export interface OtherMethods {
  readonly allow: readonly string[];
}

/** The part of the repository that is looked at. */
interface Servables {
  entries(): readonly Entry[];
  versions(name: string): readonly Entry[] | undefined;
}

/** Routes of runtimes' own (MLServer's `custom_handler`), as their runtimes describe them. */
export class OwnRoutes {
  readonly #servables: Servables;
  /** Paths that the server answers itself. */
  readonly #reserved = new Map<string, PathPattern>();
  readonly #patterns = new Map<string, PathPattern>();

  constructor(servables: Servables) {
    this.#servables = servables;
  }

  /** Paths that no runtime may have. @param urls as fastify has them: `/v2/models/:model` */
  reserve(urls: readonly string[]): void {
    for (const url of urls) this.#reserved.set(url, PathPattern.ofFastify(url));
  }

  /** @throws MillraceError MODEL_INVALID where a runtime wants a path that the server answers itself */
  check(name: string, { routes = [] }: ServableDescription): void {
    for (const { method, path } of routes) {
      const pattern = this.#pattern(path);
      const [taken] = [...this.#reserved].find(([, reserved]) => reserved.overlaps(pattern)) ?? [];
      if (taken === undefined) continue;
      throw new MillraceError(
        'MODEL_INVALID',
        `runtime '${name}': its route ${method} ${path} is in the way of the server's own ${taken}; another path expected`,
        { details: { servable: name, actual: path, expected: 'a path that the server does not answer itself' } },
      );
    }
  }

  /** The routes of a runtime that another one has, too, and which of them answers: for the log. */
  doubles(name: string, { routes = [] }: ServableDescription): string[] {
    return routes.flatMap(({ method, path }) => {
      const names = this.#named()
        .filter(({ own }) => own.some((route) => route.method === method && route.path === path))
        .map((each) => each.name);
      const [first, ...others] = [...new Set([...names, name])].toSorted();
      return others.length === 0
        ? []
        : [`route ${method} ${path} is also that of '${others.join("', '")}': '${first}' answers`];
    });
  }

  /**
   * Who answers this. Of several runtimes the first by name does, of several versions the one that answers where none is asked for.
   * @param path without its query, as the client wrote it
   */
  find(method: string, path: string): OwnRoute | OtherMethods | undefined {
    const decoded = decodedPath(path);
    const allow = new Set<string>();
    for (const { name, version, own } of this.#named()) {
      for (const route of own) {
        if (this.#pattern(route.path).match(decoded) === undefined) continue;
        if (route.method === method) return { servable: name, version, pattern: route.path };
        allow.add(route.method);
      }
    }
    return allow.size === 0 ? undefined : { allow: [...allow] };
  }

  /** Those that answer now, each with who does; by name. */
  list(): readonly ListedRoute[] {
    const listed = new Map<string, ListedRoute>();
    for (const { name, isReady, own } of this.#named()) {
      if (!isReady) continue;
      for (const route of own) {
        const key = `${route.method} ${route.path}`;
        if (!listed.has(key)) listed.set(key, { ...route, servable: name });
      }
    }
    return [...listed.values()];
  }

  /** Every name's routes, those of the version that answers; by name. */
  #named(): { name: string; version: string; isReady: boolean; own: readonly RouteDescription[] }[] {
    const names = new Set<string>();
    for (const { name, current } of this.#servables.entries()) if (current?.description?.routes) names.add(name);
    return [...names].toSorted().flatMap((name) => {
      const versions = this.#servables.versions(name) ?? [];
      const entry = versions.findLast(({ current }) => current?.isReady === true) ?? versions.at(-1);
      const own = entry?.current?.description?.routes;
      if (entry === undefined || own === undefined) return [];
      return [{ name, version: entry.version, isReady: entry.current?.isReady === true, own }];
    });
  }

  #pattern(path: string): PathPattern {
    let pattern = this.#patterns.get(path);
    if (pattern === undefined) this.#patterns.set(path, (pattern = new PathPattern(path)));
    return pattern;
  }
}
