import { dirname } from 'node:path';
import { didYouMean } from '../base/nearest.ts';
import { messageOf, type Code } from '../base/errors.ts';
import {
  defineCalculator,
  type CalculatorDefinition,
  type InputPolicyName,
  type PortDeclaration,
  type PortDeclarations,
} from './calculator.ts';
import type { CalculatorRegistry } from './calculator-registry.ts';
import type { Faults } from './faults.ts';
import { optionsOf, type GraphConfig, type HandlerConfig, type NodeConfig } from './graph-config.ts';
import { codeOf, GraphError } from './graph-error.ts';
import type { ContractPort, ContractPorts, NodeContract } from './node-contract.ts';
import { parseOptions } from './options.ts';
import { anyPacket, PacketType } from './packet-type.ts';
import { createPolicyFactory, waitsForNoOther } from './policies/policy-factory.ts';
import type { InputPolicyFactory } from './policies/input-policy.ts';
import { parseTagIndex, parseTagMap, tagIndexName, type TagEntry } from './tag-map.ts';

/** A port while the graph is being checked: `type` is declared, narrowed by the contract. */
export interface DraftPort extends ContractPort {
  readonly isOptional: boolean;
}

/** A node whose own entries are in order; streams between nodes are yet to be checked. */
export interface NodeDraft {
  readonly config: NodeConfig;
  readonly index: number;
  readonly name: string;
  readonly definition: CalculatorDefinition;
  readonly options: unknown;
  readonly inputs: readonly DraftPort[];
  readonly outputs: readonly DraftPort[];
  readonly sideInputs: readonly DraftPort[];
  readonly sideOutputs: readonly DraftPort[];
  /** `tag:index` of inputs that are back edges. */
  readonly backEdges: ReadonlySet<string>;
  readonly timestampOffset: bigint | undefined;
  /** The input policy, by the name that graph files use. */
  readonly policyName: string;
  readonly policy: InputPolicyFactory;
}

/** Names of nodes: the calculator's where none is given, with `_1`, `_2` … where several would share one. */
export function uniqueNodeNames(nodes: readonly NodeConfig[]): string[] {
  const counts = new Map<string, number>();
  const bases = nodes.map((node) => node.name || node.calculator);
  for (const base of bases) counts.set(base, (counts.get(base) ?? 0) + 1);
  const seen = new Map<string, number>();
  return bases.map((base) => {
    if ((counts.get(base) ?? 0) < 2) return base;
    const nth = (seen.get(base) ?? 0) + 1;
    seen.set(base, nth);
    return `${base}_${nth}`;
  });
}

/**
 * What takes the place of a node that has faults, so that the rest of the graph can be checked: its streams and side packets
 * are there and carry anything, and no cycle goes through it.
 */
export function standIn(config: NodeConfig, index: number, name: string): NodeDraft {
  const ports = (entries: readonly string[]): DraftPort[] =>
    entries.map((entry, at) => {
      const stream = entry.slice(entry.lastIndexOf(':') + 1);
      return { tag: '', index: at, name: stream, type: anyPacket, isOptional: true };
    });
  const definition = defineCalculator({ name: config.calculator, open: () => undefined });
  const inputs = ports(config.inputStream);
  return {
    config,
    index,
    name,
    definition,
    options: {},
    inputs,
    outputs: ports(config.outputStream),
    sideInputs: ports(config.inputSidePacket),
    sideOutputs: ports(config.outputSidePacket),
    backEdges: new Set(inputs.map((port) => tagIndexName(port.tag, port.index))),
    timestampOffset: undefined,
    policyName: '',
    policy: createPolicyFactory({ handler: '', options: [] }, [], false, 1),
  };
}

/** Checks one node by itself: names, calculator, options, contract, policy. Nothing when there were faults. */
export function draftNode(
  config: NodeConfig,
  index: number,
  name: string,
  graph: GraphConfig,
  registry: CalculatorRegistry,
  faults: Faults,
): NodeDraft | undefined {
  const report = (code: Code, text: string, cause?: unknown) =>
    faults.add(code, `node "${name}": ${text}`, config, cause);
  const problems: string[] = [];
  const entries = {
    inputs: parseTagMap(config.inputStream, problems),
    outputs: parseTagMap(config.outputStream, problems),
    sideInputs: parseTagMap(config.inputSidePacket, problems),
    sideOutputs: parseTagMap(config.outputSidePacket, problems),
  };
  for (const problem of problems) report('UNKNOWN', problem);
  const backEdges = findBackEdges(config, entries.inputs, report);
  const types = config.nodeOptions.map(({ type }) => type);
  const twice = types.find((type, at) => types.indexOf(type) !== at);
  if (twice !== undefined) report('INVALID_ARGUMENT', `node_options has two messages of type "${twice}"`);
  const definition = registry.get(config.calculator);
  if (definition === undefined && !registry.has(config.calculator)) {
    const suggestion =
      didYouMean(config.calculator, registry.names()) ||
      `; a *.pbtxt file beside the graph with type: "${config.calculator}" would be found`;
    faults.add('NOT_FOUND', `no calculator is named "${config.calculator}"${suggestion}`, config);
  }
  if (definition === undefined || problems.length > 0 || backEdges === undefined) return undefined;
  if (!hasKnownOptions(config, definition, registry, faults)) return undefined;
  try {
    return fitContract({ config, index, name, definition, backEdges }, entries, graph);
  } catch (error) {
    report(error instanceof GraphError ? error.code : 'INTERNAL', messageOf(error), error);
    return undefined;
  }
}

/** MediaPipe reads no file with options of a type that it does not have. What users' calculators have may be called anything. */
function hasKnownOptions(
  config: NodeConfig,
  definition: CalculatorDefinition,
  registry: CalculatorRegistry,
  faults: Faults,
): boolean {
  if (definition.optionTypes === undefined) return true;
  const known = registry.optionTypes;
  // Options made in code have no type.
  const unknown = [...config.nodeOptions, ...config.options].filter(({ type }) => type !== '' && !known.has(type));
  for (const { type, line = config.line } of unknown) {
    const remedy = didYouMean(type, known) || `; "${definition.optionTypes[0]}" expected`;
    faults.add('INVALID_ARGUMENT', `no calculator has options of type "${type}"${remedy}`, { file: config.file, line });
  }
  return unknown.length === 0;
}

type Report = (code: Code, text: string) => void;

function findBackEdges(config: NodeConfig, inputs: readonly TagEntry[], report: Report): Set<string> | undefined {
  const known = new Set(inputs.map(({ tag, index }) => tagIndexName(tag, index)));
  const seen = new Set<string>();
  const backEdges = new Set<string>();
  let isValid = true;
  for (const { tagIndex, backEdge } of config.inputStreamInfo) {
    const parsed = parseTagIndex(tagIndex);
    const key = parsed === undefined ? '' : tagIndexName(parsed.tag, parsed.index);
    const problem = !known.has(key)
      ? `input_stream_info names no input: tag_index "${tagIndex}"`
      : seen.has(key)
        ? `Input stream with tag_index "${tagIndex}" has more than one InputStreamInfo.`
        : undefined;
    seen.add(key);
    if (backEdge) backEdges.add(key);
    if (problem === undefined) continue;
    report('INVALID_ARGUMENT', problem);
    isValid = false;
  }
  return isValid ? backEdges : undefined;
}

type Entries = Readonly<Record<'inputs' | 'outputs' | 'sideInputs' | 'sideOutputs', readonly TagEntry[]>>;
type Identity = Pick<NodeDraft, 'config' | 'index' | 'name' | 'definition' | 'backEdges'>;

function fitContract(identity: Identity, entries: Entries, graph: GraphConfig): NodeDraft {
  const { config, definition } = identity;
  const file = config.file ?? graph.file;
  const folder = file === undefined ? '' : dirname(file);
  const options = parseOptions(definition.options, optionsOf(config), folder);
  const ports = {
    inputs: matchPorts('input stream', entries.inputs, definition.inputs),
    outputs: matchPorts('output stream', entries.outputs, definition.outputs),
    sideInputs: matchPorts('input side packet', entries.sideInputs, definition.inputSidePackets),
    sideOutputs: matchPorts('output side packet', entries.sideOutputs, definition.outputSidePackets),
  };
  const contract: NodeContract = {
    options,
    inputs: new Ports(ports.inputs),
    outputs: new Ports(ports.outputs),
    inputSidePackets: new Ports(ports.sideInputs),
    outputSidePackets: new Ports(ports.sideOutputs),
    timestampOffset: definition.timestampOffset,
    processTimestampBounds: definition.processTimestampBounds,
    inputPolicy: definition.inputPolicy,
    waitsForNoOther: (input) => waitsForNoOther(choosePolicy(config, graph, contract.inputPolicy), ports.inputs, input),
    fail(message): never {
      throw new GraphError('INVALID_ARGUMENT', message);
    },
  };
  definition.contract?.(contract);
  checkOptions(definition, options);
  const policy = choosePolicy(config, graph, contract.inputPolicy);
  checkOutputHandler(config.outputStreamHandler ?? graph.outputStreamHandler);
  return {
    ...identity,
    ...ports,
    options,
    timestampOffset: contract.timestampOffset,
    policyName: policy.handler || 'DefaultInputStreamHandler',
    policy: createPolicyFactory(policy, ports.inputs, contract.processTimestampBounds, config.maxInFlight),
  };
}

function checkOptions(definition: CalculatorDefinition, options: unknown): void {
  let problem: string | undefined | void;
  try {
    problem = definition.check?.(options);
  } catch (error) {
    const code = codeOf(error);
    throw new GraphError(code === 'UNKNOWN' ? 'INVALID_ARGUMENT' : code, messageOf(error), { cause: error });
  }
  if (typeof problem === 'string') throw new GraphError('INVALID_ARGUMENT', problem);
}

/** The node's own handler, else the graph's, else the contract's, else Default. */
function choosePolicy(config: NodeConfig, graph: GraphConfig, own: InputPolicyName | undefined): HandlerConfig {
  const given = config.inputStreamHandler ?? graph.inputStreamHandler;
  return given ?? { handler: own ?? 'DefaultInputStreamHandler', options: [] };
}

function checkOutputHandler(handler: HandlerConfig | undefined): void {
  if (handler === undefined || handler.handler === '' || handler.handler === 'InOrderOutputStreamHandler') return;
  throw new GraphError('INVALID_ARGUMENT', `no output stream handler is named "${handler.handler}"`);
}

/** Pairs entries with what the calculator declares. A missing required tag is `INTERNAL`, as MediaPipe has it. */
export function matchPorts(kind: string, entries: readonly TagEntry[], declarations: PortDeclarations): DraftPort[] {
  const tags = Object.keys(declarations);
  const ports = entries.map((entry) => {
    const own = Object.hasOwn(declarations, entry.tag) ? declarations[entry.tag] : undefined;
    const declaration = own ?? declarations['*'];
    const limit = declaration === undefined ? 0 : own === undefined ? Infinity : maximum(declaration);
    if (declaration === undefined || entry.index >= limit) {
      throw new GraphError(
        'INVALID_ARGUMENT',
        `${kind} with tag "${entry.tag}" index ${entry.index} was not expected${didYouMean(entry.tag, tags) || expectedTags(tags)}`,
      );
    }
    const isType = declaration instanceof PacketType;
    return {
      ...entry,
      type: isType ? declaration : declaration.type,
      isOptional: !isType && declaration.kind === 'optional',
    };
  });
  for (const [tag, declaration] of Object.entries(declarations)) {
    if (tag === '*') continue;
    const count = ports.filter((port) => port.tag === tag).length;
    const least = minimum(declaration);
    if (count >= least) continue;
    const wanted = least === 1 ? 'is required' : `is required at least ${least} times`;
    throw new GraphError(
      'INTERNAL',
      `${kind} with tag "${tag}" ${wanted}; add ${kind.replaceAll(' ', '_')}: "${tag === '' ? '' : `${tag}:`}…"`,
    );
  }
  return ports;
}

function expectedTags(tags: readonly string[]): string {
  return tags.length === 0 ? '; none expected' : `; expected: ${tags.map((tag) => `"${tag}"`).join(', ')}`;
}

function minimum(declaration: PortDeclaration): number {
  if (declaration instanceof PacketType) return 1;
  return declaration.kind === 'optional' ? 0 : declaration.min;
}

function maximum(declaration: PortDeclaration): number {
  return declaration instanceof PacketType || declaration.kind === 'optional' ? 1 : declaration.max;
}

class Ports implements ContractPorts {
  readonly all: readonly ContractPort[];

  constructor(ports: readonly ContractPort[]) {
    this.all = ports;
  }

  has(tag: string): boolean {
    return this.get(tag) !== undefined;
  }

  count(tag: string): number {
    return this.all.filter((port) => port.tag === tag).length;
  }

  get(tag: string, index = 0): ContractPort | undefined {
    return this.all.find((port) => port.tag === tag && port.index === index);
  }

  [Symbol.iterator](): Iterator<ContractPort> {
    return this.all[Symbol.iterator]();
  }
}
