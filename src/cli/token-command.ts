import { didYouMean } from '../base/nearest.ts';
import { SCOPES, type Scope } from '../security/access.ts';
import { createToken } from '../security/token.ts';
import { changeTokenFile, readTokenFile, tokenSchema, type TokenRecord } from '../security/token-file.ts';
import { helpOf, parseFlags, type Flags, type Given } from './client/flags.ts';
import { formatTable } from './table.ts';
import { UsageError } from './usage-error.ts';

/** What the token commands use of the process. */
export interface TokenEnvironment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

const FILE = {
  file: { short: 'f', value: 'path', description: 'The token file. Default: MILLRACE_TOKEN_FILE.' },
} as const satisfies Flags;

const CREATE = {
  name: { short: 'n', value: 'name', description: 'Whose it is: shown in metrics and logs.' },
  scope: { short: 's', value: 'scopes', description: `What it is for, of ${SCOPES.join(', ')}, separated by commas.` },
  expires: { value: 'time', description: 'As 12h, 30d, or a date (2030-01-31). Default: never.' },
  max_requests_in_flight: { value: 'n', description: 'Inferences at once. Default: no limit of its own.' },
  max_sessions: { value: 'n', description: 'Open streams. Default: no limit of its own.' },
  servables: { value: 'names', description: 'Only these, separated by commas; * is any text. Default: all.' },
  ...FILE,
} as const satisfies Flags;

const CREATE_HEAD = `Usage: millrace token create --name NAME --scope SCOPES [options]

Makes a token, writes what it may do and a hash of it to the token file, and prints the token, which nothing can show again.
Servers that use the file take it within a second.`;

const LIST_HEAD = `Usage: millrace token list [options]

Shows what the tokens of a file may do. The tokens themselves are not in it.`;

const REVOKE_HEAD = `Usage: millrace token revoke NAME [options]

Takes a token, by its name or its id, out of the file. Servers that use the file refuse it within a second, and end its streams.`;

const HELP = `Usage: millrace token create|list|revoke [options]

  create   Make a token: millrace token create --help.
  list     Show what the tokens of a file may do.
  revoke   Take a token out of a file.
`;

/**
 * `millrace token …`: the tokens of a file.
 * @returns the exit code
 * @throws UsageError; MillraceError CONFIG_INVALID where the file cannot be used
 */
export async function tokenCommand(args: readonly string[], environment: TokenEnvironment): Promise<number> {
  const [action, ...rest] = args;
  switch (action) {
    case 'create':
      return create(rest, environment);
    case 'list':
      return list(rest, environment);
    case 'revoke':
      return revoke(rest, environment);
    case undefined:
    case '--help':
    case '-h':
      environment.stdout(HELP);
      return 0;
    default: {
      const hint = didYouMean(action, ['create', 'list', 'revoke']) || '; create, list or revoke expected';
      throw new UsageError(`token: unknown command "${action}"${hint}`, 'millrace token --help');
    }
  }
}

async function create(args: readonly string[], environment: TokenEnvironment): Promise<number> {
  const given = parseFlags('token create', CREATE, args);
  if (given === undefined) {
    environment.stdout(helpOf(CREATE_HEAD, CREATE));
    return 0;
  }
  if (given.words.length > 0)
    throw given.usage(`token create: "${given.words.join(' ')}" given, only options expected`);
  const file = fileOf(given, environment);
  const now = Date.now();
  const { id, text, hash } = createToken();
  const record = recordOf(given, now, { id, hash });
  await changeTokenFile(file, (tokens) => {
    if (tokens.some(({ name }) => name === record.name)) {
      throw given.usage(`--name: ${file} has a token "${record.name}" already; revoke it, or choose another name`);
    }
    return [...tokens, record];
  });
  environment.stdout(`${text}\n`);
  environment.stderr(`millrace: token "${record.name}" (id ${id}) added to ${file}; it is not shown again\n`);
  return 0;
}

function recordOf(
  given: Given<typeof CREATE>,
  now: number,
  { id, hash }: Pick<TokenRecord, 'id' | 'hash'>,
): TokenRecord {
  const scopes = listOf(given.text('scope') ?? '');
  const unknown = scopes.find((scope) => !SCOPES.includes(scope as Scope));
  if (scopes.length === 0 || unknown !== undefined) {
    throw given.usage(`--scope: ${unknown ?? 'nothing'} given, ${SCOPES.join(', ')} expected, separated by commas`);
  }
  const servables = given.text('servables');
  const expires = given.text('expires');
  const limit = (name: 'max_requests_in_flight' | 'max_sessions'): object => {
    const value = given.number(name, 1);
    if (value !== undefined && !Number.isInteger(value)) throw given.usage(`--${name}: a whole number expected`);
    return value === undefined ? {} : { [name]: value };
  };
  const parsed = tokenSchema.safeParse({
    name: given.text('name') ?? '',
    id,
    hash,
    scopes,
    created: new Date(now).toISOString(),
    ...(expires !== undefined && { expires: new Date(expiryOf(given, expires, now)).toISOString() }),
    ...limit('max_requests_in_flight'),
    ...limit('max_sessions'),
    ...(servables !== undefined && { servables: listOf(servables) }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const flag = String(issue?.path[0] ?? 'name');
  throw given.usage(
    `--${flag}: ${given.text(flag as keyof typeof CREATE) ?? 'nothing'} given, ${issue?.message ?? ''}`,
  );
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Milliseconds since the epoch. */
function expiryOf(given: Given<typeof CREATE>, text: string, now: number): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const atMs =
    count !== undefined
      ? now + Number(count) * (UNITS_MS[unit] ?? NaN)
      : /^\d{4}-\d{2}-\d{2}(T.*)?$/.test(text)
        ? Date.parse(text)
        : NaN;
  if (Number.isNaN(atMs))
    throw given.usage(`--expires: ${text} given, a time as 12h or 30d, or a date as 2030-01-31 expected`);
  if (atMs <= now) throw given.usage(`--expires: ${text} is over already`);
  return atMs;
}

async function list(args: readonly string[], environment: TokenEnvironment): Promise<number> {
  const given = parseFlags('token list', FILE, args);
  if (given === undefined) {
    environment.stdout(helpOf(LIST_HEAD, FILE));
    return 0;
  }
  if (given.words.length > 0) throw given.usage(`token list: "${given.words.join(' ')}" given, only options expected`);
  const tokens = await readTokenFile(fileOf(given, environment));
  const now = Date.now();
  const rows = tokens.map((token) => [
    token.name,
    token.id,
    token.scopes.join(','),
    token.created.slice(0, 10),
    expiryText(token, now),
    String(token.max_requests_in_flight ?? '-'),
    String(token.max_sessions ?? '-'),
    token.servables?.join(',') ?? 'all',
  ]);
  const head = ['NAME', 'ID', 'SCOPES', 'CREATED', 'EXPIRES', 'REQUESTS', 'SESSIONS', 'SERVABLES'];
  environment.stdout(`${formatTable([head, ...rows])}\n`);
  return 0;
}

function expiryText({ expires }: TokenRecord, now: number): string {
  if (expires === undefined) return 'never';
  return Date.parse(expires) <= now ? 'expired' : expires.slice(0, 16).replace('T', ' ');
}

async function revoke(args: readonly string[], environment: TokenEnvironment): Promise<number> {
  const given = parseFlags('token revoke', FILE, args);
  if (given === undefined) {
    environment.stdout(helpOf(REVOKE_HEAD, FILE));
    return 0;
  }
  const [which, ...more] = given.words;
  if (which === undefined || more.length > 0)
    throw given.usage('token revoke: the name or the id of one token expected');
  const file = fileOf(given, environment);
  let found: TokenRecord | undefined;
  await changeTokenFile(file, (tokens) => {
    found = tokens.find(({ name }) => name === which) ?? tokens.find(({ id }) => id === which);
    const names = tokens.map(({ name }) => name);
    if (found === undefined) throw given.usage(`${file} has no token "${which}"${didYouMean(which, names)}`);
    return tokens.filter((token) => token !== found);
  });
  environment.stderr(`millrace: token "${found?.name}" (id ${found?.id}) is no longer in ${file}\n`);
  return 0;
}

function fileOf(given: Given<typeof FILE>, { variables }: TokenEnvironment): string {
  const file = given.text('file') ?? variables['MILLRACE_TOKEN_FILE'];
  if (file === undefined || file === '') throw given.usage('--file: a token file expected (or MILLRACE_TOKEN_FILE)');
  return file;
}

function listOf(text: string): string[] {
  return text.split(',').flatMap((item) => (item.trim() === '' ? [] : [item.trim()]));
}
