import { MillraceError } from '../base/errors.ts';
import type { ServingSession } from './serving-session.ts';

/** Which limit on the number of sessions was reached: that of one servable or that of the server. */
export type SessionLimitScope = 'servable' | 'server';

/** The sessions that are open, and how many there may be; streams of inferences on models count among them. */
export class OpenSessions {
  readonly #sessions = new Set<ServingSession>();
  readonly #counts = new Map<string, number>();
  #count = 0;

  /** Without streams on models. */
  get size(): number {
    return this.#sessions.size;
  }

  [Symbol.iterator](): Iterator<ServingSession> {
    return this.#sessions.values();
  }

  add(session: ServingSession): void {
    this.#sessions.add(session);
    this.#began(session.servable);
  }

  delete(session: ServingSession): void {
    if (this.#sessions.delete(session)) this.#ended(session.servable);
  }

  /** A stream on a model. @returns to be called once, when it has ended */
  addStream(servable: string): () => void {
    this.#began(servable);
    return () => this.#ended(servable);
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
    if (this.#count >= ofServer)
      throw limitReached(`${this.#count} sessions are open`, 'server', this.#count, ofServer);
  }

  #began(servable: string): void {
    this.#count++;
    this.#counts.set(servable, this.#countOf(servable) + 1);
  }

  #ended(servable: string): void {
    this.#count--;
    const left = this.#countOf(servable) - 1;
    if (left > 0) this.#counts.set(servable, left);
    else this.#counts.delete(servable);
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
