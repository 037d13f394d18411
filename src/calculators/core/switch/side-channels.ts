import type { OutputSidePacketPort } from '../../../graph/index.ts';

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

/**
 * Hands side packets on: each output gets the one at its index whose tag `sourceOf` tells from the output's own; an output
 * without one is left unset.
 */
export function passSidePackets(
  from: Readonly<Record<string, unknown>>,
  to: Readonly<Record<string, OutputSidePacketPort | readonly OutputSidePacketPort[]>>,
  sourceOf: (tag: string) => string | undefined,
): void {
  const given = [...eachSidePacket(from)];
  for (const { tag, index, port } of eachSidePacket<OutputSidePacketPort>(to)) {
    const source = sourceOf(tag);
    const found = given.find((side) => side.tag === source && side.index === index);
    if (found !== undefined) port.set(found.port);
  }
}
