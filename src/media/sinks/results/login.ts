/** What is wrong where {@link loginOf} throws. */
export const LOGIN_FAULT = 'user or password: a "%" is written as %25';

/**
 * User and password of a URL, decoded; undefined where it has none.
 * @throws URIError for a "%" that begins no encoded character
 */
export function loginOf(url: URL): { readonly user: string; readonly password: string } | undefined {
  if (url.username === '' && url.password === '') return undefined;
  return { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
}
