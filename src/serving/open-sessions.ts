import { MillraceError } from '../base/errors.ts';
import type { ServingSession } from './serving-session.ts';

/** Which limit on the number of sessions was reached: that of one servable or that of the server. */
export type SessionLimitScope = 'servable' | 'server';

/** The sessions that are open, and how many there may be. */
export class OpenSessions {
  readonly #sessions = new Set<ServingSession>();
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#sessions.size;
  }

  [Symbol.iterator](): Iterator<ServingSession> {
    return this.#sessions.values();
  }

  add(session: ServingSession): void {
    this.#sessions.add(session);
    this.#counts.set(session.servable, this.#countOf(session.servable) + 1);
  }

  delete(session: ServingSession): void {
    if (!this.#sessions.delete(session)) return;
    const left = this.#countOf(session.servable) - 1;
    if (left > 0) this.#counts.set(session.servable, left);
    else this.#counts.delete(session.servable);
  }

  /**
   * Whether one more session of `servable` may be opened.
   * @param ofServable sessions of all its versions together; undefined: no limit of its own
   * @throws MillraceError LIMIT_REACHED, which limit in `details.scope`
   */
  checkRoom(servable: string, ofServable: number | undefined, ofServer: number): void {
    const open = this.#countOf(servable);
    if (ofServable !== undefined && open >= ofServable) {
      throw limitReached(`${open} sessions of '${servable}' are open`, 'servable', open, ofServable);
    }
    if (this.size >= ofServer) throw limitReached(`${this.size} sessions are open`, 'server', this.size, ofServer);
  }

  #countOf(servable: string): number {
    return this.#counts.get(servable) ?? 0;
  }
}

/** A limit that was lowered may be below what is open. */
function limitReached(what: string, scope: SessionLimitScope, open: number, limit: number): MillraceError {
  const whose = scope === 'servable' ? "max_sessions of the servable's entry" : 'max_sessions';
  return new MillraceError('LIMIT_REACHED', `${what}, and the limit is ${limit} (${whose})`, {
    details: { setting: 'max_sessions', scope, open, limit },
  });
}
