/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

const SECRET_NAMES =
  'authorization|proxy-authorization|cookie|set-cookie|x-api-key|api[-_]?key|access[-_]?token|refresh[-_]?token|token|password|passwd|secret|client[-_]?secret|sig|signature';

/** Further names of parameters: of cameras, of SRT, of signed addresses. */
const PARAMETER_NAMES =
  'auth|key|user|username|usr|pass|pwd|passphrase|streamid|x-amz-(?:signature|credential|security-token)';
/** The value of a parameter that is named like a secret; cameras have them in the path too: `/user=admin_password=…`. */
const QUERY_SECRET = new RegExp(`([?&;/_](?:${SECRET_NAMES}|${PARAMETER_NAMES})=)[^&#\\s"'\\\\]+`, 'gi');
/**
 * User and password of a URL, of which a path may have lost a slash. A host with a port, which an "@" later in the path may
 * follow, is none.
 */
const URL_CREDENTIALS =
  /:(\/\/?)(?![^\s/"'@:\\]{1,256}:\d{1,5}[/?#])(?:[^\s/"'@:\\]{1,256}:[^\s"'\\]{0,256}@|[^\s/"'@\\?#]{1,256}@)/g;
/** The name of a header, or its like, of a JSON object, up to its value. */
const JSON_NAME = new RegExp(`"(?:${SECRET_NAMES})":`, 'gi');
const CREDENTIALS = /\b(Bearer|Basic|Digest) +(?!realm\b)[A-Za-z0-9._~+/=-]{8,}/gi;
/** A token of ours, wherever it stands: the part behind its public id. */
const OWN_TOKEN = /\b(millrace_[0-9a-f]{12}_)[A-Za-z0-9_-]{43}/g;

/** A text, a line of JSON for example, without the secrets that it can be seen to hold. */
export function redactText(text: string): string {
  return withoutJsonSecrets(text)
    .replace(CREDENTIALS, `$1 ${REDACTED}`)
    .replace(OWN_TOKEN, `$1${REDACTED}`)
    .replace(URL_CREDENTIALS, `:$1${REDACTED}@`)
    .replace(QUERY_SECRET, `$1${REDACTED}`);
}

/**
 * A URL (`rtsp://user:password@camera/stream?token=…`) as logs, statuses and errors may show it: without user, password and
 * the values of query parameters that are named like secrets. Passwords may hold "/" and "@" unescaped, as cameras' often do:
 * all up to the last "@" goes, unless it can only belong to the path.
 */
export function redactUrl(url: string): string {
  const end = url.search(/[?#]/);
  const before = end < 0 ? url : url.slice(0, end);
  const query = end < 0 ? '' : url.slice(end).replace(QUERY_SECRET, `$1${REDACTED}`);
  // A password with "?" or "#" in it: what follows them is no query.
  if (end >= 0 && !before.includes('@') && /:\/\/[^\s/@:]+:(?!\d+$)[^\s/@]*$/.test(before) && query.includes('@')) {
    const whole = before + url.slice(end);
    return whole.replace(/:\/\/.*@/, `://${REDACTED}@`);
  }
  return withoutLogin(before).replace(QUERY_SECRET, `$1${REDACTED}`) + query;
}

/**
 * A URL without user and password, up to its query. By hand: an expression that looks for the last "@" from each "://" takes
 * quadratic time. One slash will do, since paths lose one.
 */
function withoutLogin(url: string): string {
  const lastAt = url.lastIndexOf('@');
  const slashes = /:\/\/?(?!\/)/g;
  for (let found = slashes.exec(url); found !== null && found.index < lastAt; found = slashes.exec(url)) {
    const start = slashes.lastIndex;
    const length = url.slice(start).search(/[/@:]/);
    const end = start + length;
    if (length <= 0 || url[end] === '/') continue;
    const isHost = url[end] === ':' && /^:\d+\//.test(url.slice(end, end + 16));
    if (!isHost) return `${url.slice(0, start)}${REDACTED}${url.slice(url[end] === '@' ? end : lastAt)}`;
  }
  return url;
}

/** Values are found by hand: a regular expression for lists takes quadratic time on lines made for that. */
function withoutJsonSecrets(text: string): string {
  let result = '';
  let from = 0;
  JSON_NAME.lastIndex = 0;
  for (let found = JSON_NAME.exec(text); found !== null; found = JSON_NAME.exec(text)) {
    const start = JSON_NAME.lastIndex;
    const end = endOfValue(text, start);
    if (end === start) continue;
    result += `${text.slice(from, start)}"${REDACTED}"`;
    from = end;
    JSON_NAME.lastIndex = end;
  }
  return from === 0 ? text : result + text.slice(from);
}

/** Behind a text or a list of texts that begins at `start`; `start` itself for any other value. */
function endOfValue(text: string, start: number): number {
  const isList = text[start] === '[';
  if (!isList && text[start] !== '"') return start;
  let isInText = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (isInText && char === '\\') at++;
    else if (char === '"') {
      isInText = !isInText;
      if (!isInText && !isList) return at + 1;
    } else if (char === ']' && !isInText) return at + 1;
  }
  return text.length;
}
