import { describe, expect, it } from 'vitest';
import { PathPattern } from './path-pattern.ts';

describe('a path pattern', () => {
  it.each([
    ['/explain', '/explain', {}],
    ['/explain', '/explain/', undefined],
    ['/a.b', '/acb', undefined],
    ['/models/{name}/explain', '/models/mine/explain', { name: 'mine' }],
    ['/models/{name}/explain', '/models/a/b/explain', undefined],
    ['/files/{rest:path}', '/files/a/b', { rest: 'a/b' }],
    ['/n/{count:int}.json', '/n/12.json', { count: '12' }],
    ['/n/{count:int}', '/n/x', undefined],
  ])('%s and %s', (pattern, path, found) => {
    expect(new PathPattern(pattern).match(path)).toEqual(found);
  });

  it.each(['explain', '/a/{', '/a/{}', '/a/{x:text}', '/{x}/{x}'])('%s is none', (text) => {
    expect(() => new PathPattern(text)).toThrow(/^path "/);
  });

  it.each([
    ['/explain', '/explain', true],
    ['/explain', '/metrics', false],
    ['/v2/models/{m}/infer', '/v2/models/:model/infer', true],
    ['/v2/models/mine/explain', '/v2/models/:model/infer', false],
    ['/{anything}', '/metrics', true],
    ['/docs/mine', '/docs/*', true],
    ['/docs', '/docs/*', false],
    ['/{rest:path}', '/v2', true],
  ])('%s and the server’s %s: overlap %s', (own, url, overlap) => {
    expect(new PathPattern(own).overlaps(PathPattern.ofFastify(url))).toBe(overlap);
  });
});
