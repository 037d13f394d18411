import { REDACTED, redactUrl } from '../../base/redact.ts';

/** A password may hold quotes; what follows it does not. */
const URL_IN_TEXT = /\b[a-z][a-z0-9+.-]*:\/\/(?:[^\s"<>]*@)?[^\s"'<>]+/gi;
/** Random names, as keys in paths are, have this length at least. */
const KEY_LENGTH = 16;

/** A text whose URLs show no user names, passwords and secret parameters: `rtsp://***@host/path?token=***`. */
export function hideCredentials(text: string): string {
  return text.replace(URL_IN_TEXT, (url) => hideInUrl(url));
}

/** As `hideCredentials`, of what is one URL and nothing else, whatever characters its password has. */
export function hideInUrl(url: string): string {
  return redactUrl(url).replaceAll(REDACTED, '***');
}

/** As `hideCredentials`, of an address whose path or query may be the key itself, as those of webhooks are. */
export function hideKeys(url: string): string {
  const shown = hideCredentials(url);
  const [, origin = '', path = '', query = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)([^?#]*)(.*)$/i.exec(shown) ?? [];
  if (origin === '') return shown;
  const segments = path.split('/').map((segment) => (segment.length >= KEY_LENGTH ? '***' : segment));
  return origin + segments.join('/') + query.replace(/=[^&#]+/g, '=***');
}

/** Names of fields whose values are secrets, whatever they are. */
const SECRET_FIELDS = new Set(['api_key', 'secret', 'password', 'credential', 'headers', 'authorization']);

/** A value of JSON, given back to who sent it or told to others, without what it holds of secrets. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') return hideCredentials(value);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      SECRET_FIELDS.has(key) && each !== null ? '***' : withoutSecrets(each),
    ]),
  );
}
