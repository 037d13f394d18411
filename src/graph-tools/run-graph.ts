import { knownNames } from '../base/nearest.ts';
import { GraphError, GraphRun, type GraphRunOptions, type Packet, type ValidatedGraph } from '../graph/index.ts';
import { formOf } from '../host/graph/ports.ts';
import { parseJson, type JsonValue } from '../protocol/wire/json-reader.ts';
import { typedValue } from './packet-lines.ts';
import { inOrderOfTime, packetsOfFiles } from './packet-sources.ts';

/** What a run is given besides its graph. */
export interface RunInputs {
  /** Files by graph input; see `packetsOfFiles`. An input without files is closed at once. */
  readonly files: ReadonlyMap<string, readonly string[]>;
  /** As typed: JSON, or a text. */
  readonly sidePackets: ReadonlyMap<string, string>;
  /** Streams to observe; empty: the graph's outputs. */
  readonly observe: readonly string[];
}

/**
 * Runs a graph to its end: its inputs are fed in the order of time, as fast as its queues have room; then they close, and
 * sources run until they end by themselves.
 * @param onPacket told of each packet of the observed streams
 * @throws GraphError for inputs that do not fit, and with what failed the run
 */
export async function runGraph(
  graph: ValidatedGraph,
  { files, sidePackets, observe }: RunInputs,
  options: GraphRunOptions,
  onPacket: (stream: string, packet: Packet) => void,
): Promise<void> {
  const ports = new Map(
    graph.inputStreams.map((port) => [port.name, { name: port.name, form: formOf(port), type: port.type }]),
  );
  const sources = new Map(
    Array.from(files, ([name, paths]) => {
      const port = ports.get(name);
      if (port === undefined) throw unknown('input_stream', name, ports.keys());
      return [name, packetsOfFiles(paths, port)];
    }),
  );
  const run = new GraphRun(graph, options);
  const names = observe.length > 0 ? observe : graph.outputStreams.map(({ name }) => name);
  for (const stream of new Set(names)) {
    if (!graph.streamIndex.has(stream)) throw unknown('stream', stream, graph.streamIndex.keys());
    run.observe(stream, (packet) => onPacket(stream, packet));
  }
  run.start(sidePacketValues(graph, sidePackets));
  const ended = run.waitUntilDone();
  ended.catch(() => {}); // told by the wait below, also when feeding fails first
  for (const name of ports.keys()) if (!sources.has(name)) run.closeInput(name);
  try {
    for await (const { stream, packet } of inOrderOfTime(sources)) {
      if (run.isThrottled(stream)) await run.whenNotThrottled();
      run.addPacket(stream, packet);
    }
    run.closeAllInputs();
  } catch (error) {
    run.cancel(error instanceof Error ? error : undefined);
    await ended.catch(() => {});
    throw error;
  }
  await ended;
}

function sidePacketValues(graph: ValidatedGraph, given: ReadonlyMap<string, string>): Map<string, unknown> {
  const known = new Map(graph.inputSidePackets.map(({ name, type }) => [name, type]));
  return new Map(
    Array.from(given, ([name, text]) => {
      const type = known.get(name);
      if (type === undefined) throw unknown('input_side_packet', name, known.keys());
      const json = jsonOf(text);
      if (json === undefined) {
        if (type.accepts(text)) return [name, text];
        throw new GraphError('INVALID_ARGUMENT', `side packet "${name}": "${text}" given, ${type.name} expected`);
      }
      try {
        return [name, typedValue(json, type)];
      } catch (error) {
        if (type.accepts(text)) return [name, text]; // digits as a text
        throw error;
      }
    }),
  );
}

function jsonOf(text: string): JsonValue | undefined {
  try {
    return parseJson(Buffer.from(text), Infinity);
  } catch {
    return undefined;
  }
}

function unknown(what: string, name: string, known: Iterable<string>): GraphError {
  return new GraphError('NOT_FOUND', `the graph has no ${what} "${name}"${knownNames(what, name, known)}`);
}
