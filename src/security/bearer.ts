import { MillraceError } from '../base/errors.ts';
import type { Counter, Meter } from '../base/meter.ts';
import type { Scope } from './access.ts';
import type { TokenRecord } from './token-file.ts';

/** Why a token that is valid was refused. */
export type Refusal = 'scope' | 'servable' | 'requests' | 'sessions';

/** The metrics of tokens; their labels are names in the token file, which is bounded. */
export class TokenMeters {
  readonly #meter;

  constructor(meter: Meter) {
    this.#meter = {
      requests: meter.counter('millrace_token_requests', 'Calls that a token was taken for.', ['token']),
      refused: meter.counter('millrace_token_refused', 'Calls that a valid token was refused for.', [
        'token',
        'reason',
      ]),
    };
  }

  of(token: string): TokenSeries {
    return new TokenSeries(token, this.#meter);
  }
}

type Families = { readonly [Name in 'requests' | 'refused']: ReturnType<Meter['counter']> };

/** Of one token; its series are made when they are first needed. */
class TokenSeries {
  readonly #token: string;
  readonly #families: Families;
  readonly #refused = new Map<Refusal, Counter>();
  #requests: Counter | undefined;

  constructor(token: string, families: Families) {
    this.#token = token;
    this.#families = families;
  }

  called(): void {
    this.#requests ??= this.#families.requests.with({ token: this.#token });
    this.#requests.add(1);
  }

  refused(reason: Refusal): void {
    let counter = this.#refused.get(reason);
    if (counter === undefined) {
      counter = this.#families.refused.with({ token: this.#token, reason });
      this.#refused.set(reason, counter);
    }
    counter.add(1);
  }

  remove(): void {
    if (this.#requests !== undefined) this.#families.requests.remove({ token: this.#token });
    for (const reason of this.#refused.keys()) this.#families.refused.remove({ token: this.#token, reason });
  }
}

type Ending = (error: MillraceError) => void;

/** A token of the file with what goes on in its name. */
export class Bearer {
  readonly record: TokenRecord;
  /** Milliseconds since the epoch; Infinity: never. */
  readonly expiresAtMs: number;
  /** Ends each call that is under way. */
  readonly live = new Set<Ending>();
  readonly #servables: readonly RegExp[] | undefined;
  readonly #series: TokenSeries;
  #requests = 0;
  #sessions = 0;

  constructor(record: TokenRecord, meters: TokenMeters) {
    this.record = record;
    this.expiresAtMs = record.expires === undefined ? Infinity : Date.parse(record.expires);
    this.#servables = record.servables?.map(toPattern);
    this.#series = meters.of(record.name);
  }

  /** It may use some servables only. */
  get isLimited(): boolean {
    return this.#servables !== undefined;
  }

  hasScope(wanted: readonly Scope[]): boolean {
    return this.record.scopes.some((scope) => scope === 'admin' || wanted.includes(scope));
  }

  mayUse(servable: string): boolean {
    if (this.#servables === undefined) return true;
    return servable.length <= MAX_NAME_LENGTH && this.#servables.some((pattern) => pattern.test(servable));
  }

  called(): void {
    this.#series.called();
  }

  /** @returns how to leave, once. @throws MillraceError LIMIT_REACHED */
  enter(as: 'request' | 'session'): () => void {
    return as === 'request' ? this.#enterRequest() : this.#enterSession();
  }

  /** Counts the refusal. @returns the error, to be thrown */
  refusal(reason: Refusal, error: MillraceError): MillraceError {
    this.#series.refused(reason);
    return error;
  }

  /** Ends what is under way. */
  end(error: MillraceError): void {
    for (const end of [...this.live]) end(error);
    this.live.clear();
  }

  /** It is in the file no more. */
  removeMetrics(): void {
    this.#series.remove();
  }

  #enterRequest(): () => void {
    const { max_requests_in_flight: most = Infinity, name } = this.record;
    if (this.#requests >= most) {
      const text = `token "${name}" has ${this.#requests} requests in flight, its max_requests_in_flight is ${most}`;
      throw this.refusal('requests', new MillraceError('LIMIT_REACHED', text, { details: { limit: most } }));
    }
    this.#requests++;
    return once(() => this.#requests--);
  }

  #enterSession(): () => void {
    const { max_sessions: most = Infinity, name } = this.record;
    if (this.#sessions >= most) {
      const text = `token "${name}" has ${this.#sessions} sessions open, its max_sessions is ${most}`;
      throw this.refusal('sessions', new MillraceError('LIMIT_REACHED', text, { details: { limit: most } }));
    }
    this.#sessions++;
    return once(() => this.#sessions--);
  }
}

function once(leave: () => void): () => void {
  let hasLeft = false;
  return () => {
    if (hasLeft) return;
    hasLeft = true;
    leave();
  };
}

/** No servable has a longer name; a pattern takes time by the square of the length, or more, to find that one does not fit. */
const MAX_NAME_LENGTH = 1024;

/** `*` stands for any text. */
function toPattern(servable: string): RegExp {
  const escaped = servable.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`, 's');
}
