import { MillraceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Family, Counter, Meter } from '../base/meter.ts';
import type { Access, Scope } from './access.ts';
import { Bearer, TokenMeters } from './bearer.ts';
import { FailureLimit } from './failure-limit.ts';
import { BearerGrant, OPEN_GRANT, type Grant } from './grant.ts';
import { bearerToken, hasHash, parseToken } from './token.ts';
import type { TokenRecord } from './token-file.ts';

/** How long a call may outlive its token. */
const SWEEP_MS = 1000;
/** Compared with where no token has the id, so that this takes as long. */
const NO_HASH = `sha256:${'0'.repeat(64)}`;

/** Who calls what. */
export interface Caller {
  /** The header, as it came. */
  readonly authorization: string | undefined;
  /** IP address. */
  readonly address: string;
  /** RPC, or method and route: for the log. */
  readonly call: string;
  /** The servable that the call is about, where that is known before the request is read. */
  readonly servable?: string | undefined;
}

export interface GuardParts {
  readonly tokens: readonly TokenRecord[];
  readonly meter: Meter;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

type FailureKind = 'missing' | 'malformed' | 'unknown' | 'expired';

/** Lets calls in by bearer tokens, and ends them when their token does. */
export class Guard implements Disposable {
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #meters: TokenMeters;
  readonly #failures: Family<Counter>;
  readonly #limit: FailureLimit;
  readonly #sweep: NodeJS.Timeout;
  #bearers: ReadonlyMap<string, Bearer> = new Map();

  constructor({ tokens, meter, logger, now = Date.now }: GuardParts) {
    this.#logger = logger;
    this.#now = now;
    this.#meters = new TokenMeters(meter);
    this.#failures = meter.counter('millrace_auth_failures', 'Calls without a valid token that needed one.', [
      'reason',
    ]);
    this.#limit = new FailureLimit(now);
    this.replace(tokens);
    this.#sweep = setInterval(() => this.#endExpired(), SWEEP_MS).unref();
  }

  /**
   * @param end called at most once, when the token is revoked or expires while the call runs: with UNAUTHENTICATED
   * @throws MillraceError UNAUTHENTICATED, PERMISSION_DENIED, or LIMIT_REACHED where a limit of the token or of failures is reached
   */
  enter(access: Access, caller: Caller, end: (error: MillraceError) => void): Grant {
    if (access.needs === 'open') return OPEN_GRANT;
    const bearer = this.#authenticate(caller);
    const { name, scopes } = bearer.record;
    if (access.needs !== 'any' && !bearer.hasScope(access.needs)) {
      throw bearer.refusal('scope', outOfScope(name, scopes, access.needs));
    }
    if (access.concernsAll === true && bearer.isLimited) {
      const text = `token "${name}" is limited to some servables, and this concerns all`;
      throw bearer.refusal('servable', new MillraceError('PERMISSION_DENIED', text));
    }
    const grant = new BearerGrant(bearer, access, end);
    try {
      if (caller.servable !== undefined) grant.check(caller.servable);
    } catch (error) {
      grant[Symbol.dispose]();
      throw error;
    }
    bearer.called();
    if (isChange(access, caller)) {
      this.#logger.info({ tokenName: name, address: caller.address, call: caller.call }, 'called by a manager');
    }
    return grant;
  }

  /** Takes these tokens from now on. Calls of tokens that are gone, or that may do other things than before, end. */
  replace(records: readonly TokenRecord[]): void {
    const before = this.#bearers;
    const after = new Map<string, Bearer>();
    for (const record of records) {
      const known = before.get(record.id);
      const isSame = known !== undefined && JSON.stringify(known.record) === JSON.stringify(record);
      after.set(record.id, isSame ? known : new Bearer(record, this.#meters));
    }
    this.#bearers = after;
    const names = new Set(records.map(({ name }) => name));
    for (const [id, bearer] of before) {
      const now = after.get(id);
      if (now === bearer) continue;
      bearer.end(
        unauthenticated(now === undefined ? 'the token was revoked' : 'the token was changed', 'invalid_token'),
      );
      if (!names.has(bearer.record.name)) bearer.removeMetrics();
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep);
  }

  #authenticate(caller: Caller): Bearer {
    const { authorization } = caller;
    if (authorization === undefined)
      throw this.#failed(caller, 'missing', 'a token is needed: "authorization: Bearer …"');
    const text = bearerToken(authorization);
    const parts = text === undefined ? undefined : parseToken(text);
    if (parts === undefined)
      throw this.#failed(caller, 'malformed', 'the authorization is no bearer token of this server');
    const bearer = this.#bearers.get(parts.id);
    const isRight = hasHash(parts.secret, bearer?.record.hash ?? NO_HASH);
    if (bearer === undefined || !isRight) throw this.#failed(caller, 'unknown', 'the token is not valid');
    if (bearer.expiresAtMs <= this.#now()) {
      throw this.#failed(caller, 'expired', `token "${bearer.record.name}" has expired`);
    }
    return bearer;
  }

  /** Counts and, at times, logs a failure; the token itself is never told. */
  #failed(caller: Caller, kind: FailureKind, text: string): MillraceError {
    this.#failures.with({ reason: kind }).add(1);
    const { address, call } = caller;
    const { isTooMany, untold } = this.#limit.failed(address);
    if (untold !== undefined) {
      this.#logger.warn({ address, call, reason: kind, failuresBefore: untold }, 'a call was not authenticated');
    }
    if (isTooMany) {
      return new MillraceError('LIMIT_REACHED', 'too many calls without a valid token; wait a while', {
        details: { retryAfterS: 1 },
      });
    }
    return unauthenticated(text, kind === 'missing' ? undefined : 'invalid_token');
  }

  #endExpired(): void {
    const now = this.#now();
    for (const bearer of this.#bearers.values()) {
      if (bearer.live.size > 0 && bearer.expiresAtMs <= now) {
        bearer.end(unauthenticated(`token "${bearer.record.name}" has expired`, 'invalid_token'));
      }
    }
  }
}

/** Only a manager may do it, and it is no mere question: whoever asks each second need not be in the log. */
function isChange({ needs }: Access, { call }: Caller): boolean {
  return typeof needs !== 'string' && needs.every((scope) => scope === 'manage') && !/^GET |Status$/.test(call);
}

/** The value of `WWW-Authenticate` (RFC 6750, §3) for a refusal; undefined for other errors. */
export function challengeOf({ code, details }: MillraceError): string | undefined {
  if (code !== 'UNAUTHENTICATED' && code !== 'PERMISSION_DENIED') return undefined;
  const { error, scope } = details;
  return [
    'Bearer realm="millrace"',
    ...(typeof error === 'string' ? [`error="${error}"`] : []),
    ...(typeof scope === 'string' ? [`scope="${scope}"`] : []),
  ].join(', ');
}

function unauthenticated(text: string, error?: 'invalid_token'): MillraceError {
  return new MillraceError('UNAUTHENTICATED', text, { details: error === undefined ? {} : { error } });
}

function outOfScope(name: string, scopes: readonly Scope[], needed: readonly Scope[]): MillraceError {
  const text = `token "${name}" has scope ${scopes.join(', ')}; ${needed.join(' or ')} is needed`;
  return new MillraceError('PERMISSION_DENIED', text, {
    details: { error: 'insufficient_scope', scope: needed.join(' ') },
  });
}
