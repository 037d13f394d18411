/**
 * A map that stays while its values come and go, as the sessions of a connection do. V8 rebuilds the table of a `Map` as
 * entries come and go, and once one table has grown old, all later ones hold what they held, removed or not, until a full
 * collection. So each value sits in a slot of its own, which is emptied when the value is removed.
 */
export class TransientMap<Key, Value extends object> {
  readonly #slots = new Map<Key, { value: Value | undefined }>();

  get size(): number {
    return this.#slots.size;
  }

  has(key: Key): boolean {
    return this.#slots.has(key);
  }

  get(key: Key): Value | undefined {
    return this.#slots.get(key)?.value;
  }

  set(key: Key, value: Value): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) this.#slots.set(key, { value });
    else slot.value = value;
  }

  /** Whether there was one. */
  delete(key: Key): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    slot.value = undefined;
    return this.#slots.delete(key);
  }

  clear(): void {
    for (const key of this.#slots.keys()) this.delete(key);
  }

  /** Those that are there now, in the order in which they came. */
  values(): Value[] {
    return Array.from(this.#slots.values(), ({ value }) => value).filter((value) => value !== undefined);
  }
}
