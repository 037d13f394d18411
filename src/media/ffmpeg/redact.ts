import { REDACTED, redactUrl } from '../../base/redact.ts';

/** Of a scheme; of which more are no scheme. */
const SCHEME_LENGTH = 32;
/** Random names, as keys in paths are, have this length at least. */
const KEY_LENGTH = 16;

/**
 * A text whose URLs show no user names, passwords and secret parameters: `rtsp://***@host/path?token=***`. A password may hold
 * apostrophes; what else may end a URL in a text ends it, so an address alone is for {@link hideInAddress}. By hand, in time
 * in proportion to the length, which expressions for this do not keep to.
 */
export function hideCredentials(text: string): string {
  let result = '';
  let from = 0;
  let runEnd = 0;
  let lastAt = -1;
  for (let at = text.indexOf(':/'); at >= 0; at = text.indexOf(':/', at)) {
    const rest = at + (text[at + 2] === '/' ? 3 : 2);
    if (at >= runEnd) {
      runEnd = endOf(/[\s"<>]/g, text, at, text.length);
      lastAt = at + text.slice(at, runEnd).lastIndexOf('@');
    }
    const start = schemeStart(text, at, from);
    if (start === at || (rest === at + 2 && lastAt < rest)) {
      at = rest;
      continue;
    }
    const end = endOf(/'/g, text, Math.max(rest, lastAt + 1), runEnd);
    result += text.slice(from, start) + hideInUrl(text.slice(start, end));
    from = at = end;
  }
  return result + text.slice(from);
}

/** Of the first character that `pattern` finds from `start` on, `limit` where none is before that. */
function endOf(pattern: RegExp, text: string, start: number, limit: number): number {
  pattern.lastIndex = start;
  return Math.min(pattern.exec(text)?.index ?? limit, limit);
}

/** Where the scheme before `colon` begins; `colon` where there is none. */
function schemeStart(text: string, colon: number, from: number): number {
  const head = text.slice(Math.max(from, colon - SCHEME_LENGTH), colon);
  const [scheme = ''] = /[a-z0-9+.-]*$/i.exec(head) ?? [];
  const letter = scheme.search(/[a-z]/i);
  return letter < 0 ? colon : colon - scheme.length + letter;
}

/** As `hideCredentials`, of what is an address of any kind and nothing else. */
export function hideInAddress(text: string): string {
  return /^[a-z][a-z0-9+.-]*:\//i.test(text) ? hideInUrl(text) : hideCredentials(text);
}

/** As `hideCredentials`, of what is one URL and nothing else, whatever characters its password has. */
export function hideInUrl(url: string): string {
  return redactUrl(url).replaceAll(REDACTED, '***');
}

/** As `hideCredentials`, of an address whose path or query may be the key itself, as those of webhooks are. */
export function hideKeys(url: string): string {
  const shown = hideInAddress(url);
  const [, origin = '', path = '', query = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)([^?#]*)(.*)$/i.exec(shown) ?? [];
  if (origin === '') return shown;
  const segments = path.split('/').map((segment) => (segment.length >= KEY_LENGTH ? '***' : segment));
  return origin + segments.join('/') + query.replace(/=[^&#]+/g, '=***');
}

/** Names of fields whose values are secrets, whatever they are. */
const SECRET_FIELDS = new Set(['api_key', 'secret', 'password', 'credential', 'headers', 'authorization']);

/** A value of JSON, given back to who sent it or told to others, without what it holds of secrets. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') return hideInAddress(value);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      SECRET_FIELDS.has(key) && each !== null ? '***' : withoutSecrets(each),
    ]),
  );
}
