import type { DraftPort, NodeDraft } from './draft-node.ts';
import type { Faults } from './faults.ts';
import { anyPacket, type PacketType } from './packet-type.ts';
import type { TagEntry } from './tag-map.ts';

/** A side packet of the graph: who makes it, who needs it. */
export interface DraftSidePacket {
  readonly name: string;
  /** Position of the node that makes it; nothing when the application gives it. */
  readonly producer: number | undefined;
  readonly consumers: readonly { readonly node: number; readonly port: DraftPort }[];
  readonly type: PacketType;
  readonly optional: boolean;
}

/** Joins side packets by name; those of `declared` come first. Reports second producers and types that do not fit. */
export function joinSidePackets(
  declared: readonly TagEntry[],
  nodes: readonly NodeDraft[],
  faults: Faults,
): ReadonlyMap<string, DraftSidePacket> {
  const producers = new Map<string, { readonly node: number; readonly type: PacketType }>();
  nodes.forEach((node, at) => {
    for (const { name, type } of node.sideOutputs) {
      if (producers.has(name)) {
        faults.add('UNKNOWN', `Output Side Packet "${name}" defined twice; rename one of them`, node.config);
      } else producers.set(name, { node: at, type });
    }
  });
  const names = new Set([...declared.map(({ name }) => name), ...producers.keys()]);
  for (const node of nodes) for (const { name } of node.sideInputs) names.add(name);
  return new Map(Array.from(names, (name) => [name, join(name, producers.get(name), nodes, faults)]));
}

function join(
  name: string,
  producer: { readonly node: number; readonly type: PacketType } | undefined,
  nodes: readonly NodeDraft[],
  faults: Faults,
): DraftSidePacket {
  const consumers = nodes.flatMap((node, at) =>
    node.sideInputs.filter((port) => port.name === name).map((port) => ({ node: at, port })),
  );
  const wanted = consumers.map(({ port }) => port.type).filter((type) => type !== anyPacket);
  const own = producer?.type ?? anyPacket;
  const type = own === anyPacket ? (wanted[0] ?? anyPacket) : own;
  for (const { node, port } of consumers) {
    if (type === anyPacket || port.type === anyPacket || type.compatibleWith(port.type)) continue;
    const text = `side packet "${name}": type "${type.name}" does not fit type "${port.type.name}" of node "${nodes[node]?.name}"; put a node that converts it between them`;
    faults.add('UNKNOWN', text, nodes[node]?.config);
  }
  const optional = consumers.every(({ port }) => port.isOptional);
  return { name, producer: producer?.node, consumers, type, optional };
}
