import { MillraceError } from '../base/errors.ts';
import type { SessionQuota } from './servable-spec.ts';

/** Ends a session that is idle for too long, or open for too long. */
export class SessionTimers {
  #idle: NodeJS.Timeout | undefined;
  readonly #duration: NodeJS.Timeout | undefined;

  /** @param onExpired told of the limit that was reached, DEADLINE_EXCEEDED, at most once if it closes the timers */
  constructor({ idleTimeoutMs, maxDurationMs }: SessionQuota, onExpired: (error: MillraceError) => void) {
    const start = (ms: number, what: string, setting: string): NodeJS.Timeout | undefined => {
      if (ms === 0) return undefined;
      const text = `the session ${what} for ${ms} ms, which is the limit (${setting})`;
      const options = { code: 'DEADLINE_EXCEEDED', details: { setting, limit: ms } } as const;
      return setTimeout(() => onExpired(new MillraceError('LIMIT_REACHED', text, options)), ms);
    };
    this.#idle = start(idleTimeoutMs, 'was idle', 'session_idle_timeout_ms');
    this.#duration = start(maxDurationMs, 'was open', 'session_max_duration_ms');
  }

  /** A request or a response: it is not idle. */
  touch(): void {
    this.#idle?.refresh();
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#idle = undefined; // a refresh would start it again
    clearTimeout(this.#duration);
  }
}
