import { MillraceError } from '../base/errors.ts';
import type { Access, NameField } from './access.ts';
import type { Bearer } from './bearer.ts';

/** What one call may do, for as long as it runs. Disposing says that it is over; idempotent. */
export interface Grant extends Disposable {
  /** Whether the caller may know of a servable: lists leave out those that it may not. */
  allows(servable: string): boolean;
  /** Set: this field of each request names a servable, for `check`; "" there names none in particular. */
  readonly names: NameField | undefined;
  /** @throws MillraceError PERMISSION_DENIED, the same whether there is such a servable or not */
  check(servable: string): void;
  /**
   * Counts an inference inside a stream among the caller's requests.
   * @returns to be called once, when it is over
   * @throws MillraceError LIMIT_REACHED
   */
  enterRequest(): () => void;
}

const nothing = (): void => {};

/** Of calls that need no token. */
export const OPEN_GRANT: Grant = {
  allows: () => true,
  names: undefined,
  check: nothing,
  enterRequest: () => nothing,
  [Symbol.dispose]: nothing,
};

/** Those of `named` that the caller may know of; `grant` undefined: all. */
export function visible<Named extends { readonly name: string }>(
  grant: Grant | undefined,
  named: readonly Named[],
): readonly Named[] {
  return grant === undefined ? named : named.filter(({ name }) => grant.allows(name));
}

/** A call in the name of a token. */
export class BearerGrant implements Grant {
  readonly names: NameField | undefined;
  readonly #bearer: Bearer;
  readonly #end: (error: MillraceError) => void;
  readonly #leave: () => void;

  /** @throws MillraceError LIMIT_REACHED */
  constructor(bearer: Bearer, access: Access, end: (error: MillraceError) => void) {
    this.#bearer = bearer;
    this.#end = end;
    this.names = bearer.isLimited ? access.names : undefined;
    this.#leave = access.counts === undefined ? nothing : bearer.enter(access.counts);
    bearer.live.add(end);
  }

  allows(servable: string): boolean {
    return this.#bearer.mayUse(servable);
  }

  check(servable: string): void {
    if (this.#bearer.mayUse(servable)) return;
    const { name } = this.#bearer.record;
    const error = new MillraceError('PERMISSION_DENIED', `token "${name}" may not use servable "${servable}"`, {
      details: { servable },
    });
    throw this.#bearer.refusal('servable', error);
  }

  enterRequest(): () => void {
    return this.#bearer.enter('request');
  }

  [Symbol.dispose](): void {
    this.#leave();
    this.#bearer.live.delete(this.#end);
  }
}
