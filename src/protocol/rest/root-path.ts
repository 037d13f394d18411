/** A path with a slash before it and none behind; "" for none. */
export function cleanPath(path: string): string {
  const bare = path.replace(/^\/+|\/+$/g, '');
  return bare === '' ? '' : `/${bare}`;
}

/**
 * The path of a request as the routes have it: without the prefix under which a proxy shows the server, which it may take
 * off itself or not.
 * @param rootPath from `cleanPath`
 * @param dropsSlash a slash at the end of an API's path is taken off, to which MLServer redirects
 */
export function ownPath(url: string, rootPath: string, dropsSlash: boolean): string {
  const end = url.search(/[?#]/);
  const path = end < 0 ? url : url.slice(0, end);
  const query = end < 0 ? '' : url.slice(end);
  let own = path;
  if (rootPath !== '' && (path === rootPath || path.startsWith(`${rootPath}/`)))
    own = path.slice(rootPath.length) || '/';
  if (dropsSlash && own.startsWith('/v2') && own.endsWith('/')) own = own.slice(0, -1);
  return own + query;
}

/** A request's path as it came, without the query, which may have a token and goes into no log. */
export function pathOf({ url }: { readonly url: string }): string {
  return url.split('?', 1)[0] ?? '';
}
