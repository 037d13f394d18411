import type { CalculatorDefinition } from './calculator.ts';
import { CalculatorRegistry } from './calculator-registry.ts';
import { createGraphConfig, type NodeConfig, type OptionFields } from './graph-config.ts';
import { GraphRun } from './graph-run.ts';
import type { Packet } from './packet.ts';
import { validateGraph } from './validate-graph.ts';

/** Packets as `[timestamp, value]`; timestamps below 2^53 may be plain numbers. */
export type PacketList = readonly (readonly [timestamp: bigint | number, value: unknown])[];

export interface CalculatorCase {
  /** By port: `TAG`, `TAG:1`, or `''` and `:1` for the empty tag. Fed in order of time, then closed. */
  readonly inputs?: Readonly<Record<string, PacketList>>;
  /** Ports to connect and to collect. */
  readonly outputs?: readonly string[];
  /** Values by tag. */
  readonly sidePackets?: Readonly<Record<string, unknown>>;
  readonly outputSidePackets?: readonly string[];
  /** Names of fields as in a graph file. */
  readonly options?: OptionFields;
  readonly node?: Partial<NodeConfig>;
  readonly services?: ReadonlyMap<string, unknown>;
}

export interface CalculatorOutcome {
  /** By the names given in `outputs`. */
  readonly outputs: Readonly<Record<string, readonly Packet[]>>;
  readonly sidePackets: Readonly<Record<string, unknown>>;
}

/** Runs one node: packets in, packets out. For tests. Rejects as the graph does. */
export async function runCalculator(definition: CalculatorDefinition, run: CalculatorCase): Promise<CalculatorOutcome> {
  const { inputs = {}, outputs = [], sidePackets = {}, outputSidePackets = [] } = run;
  const inputStream = Object.keys(inputs).map((port) => entry(port, 'in'));
  const node: Partial<NodeConfig> = {
    calculator: definition.name,
    inputStream,
    outputStream: outputs.map((port) => entry(port, 'out')),
    inputSidePacket: Object.keys(sidePackets).map((port) => entry(port, 'side')),
    outputSidePacket: outputSidePackets.map((port) => entry(port, 'made')),
    options: run.options === undefined ? [] : [{ type: '', fields: run.options }],
    ...run.node,
  };
  const config = createGraphConfig({ inputStream: inputStream.map(nameOf), node: [node] });
  const graph = new GraphRun(validateGraph(config, new CalculatorRegistry([definition])), {
    ...(run.services === undefined ? {} : { services: run.services }),
  });
  const collected: Record<string, Packet[]> = {};
  for (const port of outputs) {
    const list: Packet[] = (collected[port] = []);
    graph.observe(nameOf(entry(port, 'out')), (packet) => list.push(packet));
  }
  graph.start(new Map(Object.entries(sidePackets).map(([port, value]) => [nameOf(entry(port, 'side')), value])));
  for (const { port, timestamp, value } of inOrder(inputs)) {
    graph.addPacket(nameOf(entry(port, 'in')), { value, timestamp });
    await graph.waitUntilIdle();
  }
  graph.closeAllInputs();
  await graph.waitUntilDone();
  const made = outputSidePackets.map((port) => [port, graph.outputSidePacket(nameOf(entry(port, 'made')))]);
  return { outputs: collected, sidePackets: Object.fromEntries(made) as Record<string, unknown> };
}

function inOrder(inputs: Readonly<Record<string, PacketList>>) {
  return Object.entries(inputs)
    .flatMap(([port, packets]) => packets.map(([t, value]) => ({ port, timestamp: BigInt(t), value })))
    .sort((a, b) => (a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0));
}

/** `TAG:1:in_tag_1` for `TAG:1`; a plain name for the empty tag. */
function entry(port: string, kind: string): string {
  const [tag = '', index = '0'] = port.split(':');
  const name = `${kind}_${tag.toLowerCase()}_${index}`;
  return tag === '' ? name : `${tag}:${index}:${name}`;
}

function nameOf(text: string): string {
  return text.slice(text.lastIndexOf(':') + 1);
}
