import { describe, expect, it } from 'vitest';
import type { RouteDescription, ServableDescription } from '../ipc/description.ts';
import { OwnRoutes } from './own-routes.ts';
import type { Entry } from './repository.ts';

const described = (...routes: RouteDescription[]): ServableDescription => ({
  platform: '',
  decoupled: false,
  inputs: [],
  outputs: [],
  routes,
});
const post = (path: string): RouteDescription => ({ method: 'POST', path });
const entry = (name: string, version: string, isReady: boolean, ...routes: RouteDescription[]): Entry =>
  ({ name, version, current: { isReady, description: described(...routes) } }) as unknown as Entry;

/** The versions of a name are in the order of the entries. */
function routesOf(...entries: Entry[]): OwnRoutes {
  return new OwnRoutes({
    entries: () => entries,
    versions: (name) => entries.filter((each) => each.name === name),
  });
}

describe('routes of runtimes’ own', () => {
  it('are answered by the version that answers where none is asked for', () => {
    const routes = routesOf(
      entry('m', '1', true, post('/a')),
      entry('m', '2', true, post('/b')),
      entry('m', '3', false),
    );
    expect(routes.find('POST', '/b')).toEqual({ servable: 'm', version: '2', pattern: '/b' });
    expect(routes.find('POST', '/a')).toBeUndefined();
    // One that is down says so itself.
    expect(routesOf(entry('m', '1', false, post('/a'))).find('POST', '/a')).toMatchObject({ version: '1' });
  });

  it('of two runtimes are the first one’s by name, whoever came first', () => {
    const [a, b] = [entry('a', '', true, post('/x')), entry('b', '', true, post('/x'), post('/y'))];
    for (const routes of [routesOf(a, b), routesOf(b, a)]) {
      expect(routes.find('POST', '/x')).toMatchObject({ servable: 'a' });
      const texts = [["route POST /x is also that of 'b': 'a' answers"], []];
      expect([routes.doubles('b', described(post('/x'))), routes.doubles('b', described(post('/y')))]).toEqual(texts);
    }
  });

  it('tell the methods that a path has', () => {
    const routes = routesOf(entry('m', '', true, post('/a/{x}'), { method: 'GET', path: '/a/{y}' }));
    expect(routes.find('PUT', '/a/%31')).toEqual({ allow: ['POST', 'GET'] });
  });

  it('are listed of what is ready, each by who answers', () => {
    const operation = { summary: 'X' };
    const routes = routesOf(
      entry('b', '', true, post('/x'), { method: 'GET', path: '/y', operation }),
      entry('a', '', true, post('/x')),
      entry('c', '', false, post('/z')),
    );
    expect(routes.list()).toEqual([
      { method: 'POST', path: '/x', servable: 'a' },
      { method: 'GET', path: '/y', operation, servable: 'b' },
    ]);
  });

  it('are refused where the server answers itself', () => {
    const routes = routesOf();
    routes.reserve(['/v2/models/:model', '/docs/*']);
    expect(() => routes.check('m', described(post('/v2/models/x')))).toThrow(
      "runtime 'm': its route POST /v2/models/x is in the way of the server's own /v2/models/:model; another path expected",
    );
    expect(() => routes.check('m', described(post('/docs/mine')))).toThrow('/docs/*');
    expect(() => routes.check('m', described(post('/v2/models/x/explain')))).not.toThrow();
  });
});
