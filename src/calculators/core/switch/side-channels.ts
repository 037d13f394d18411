interface SidePort<T> {
  readonly tag: string;
  readonly index: number;
  readonly port: T;
}

/** Side packets (or their ports) of a node, one by one: by tag they are single ones or, for several indexes, lists. */
export function* eachSidePacket<T>(byTag: Readonly<Record<string, T | readonly T[]>>): Generator<SidePort<T>> {
  for (const [tag, entry] of Object.entries(byTag)) {
    if (Array.isArray(entry)) for (const [index, port] of (entry as readonly T[]).entries()) yield { tag, index, port };
    else yield { tag, index: 0, port: entry as T };
  }
}
