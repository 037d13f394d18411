import type { PortDeclarations } from './calculator.ts';
import type {
  CalculatorContext,
  InputPort,
  InputPorts,
  OutputPorts,
  OutputSidePackets,
  SidePackets,
} from './calculator-context.ts';
import { GraphError } from './graph-error.ts';
import type { OutputStream } from './output-stream.ts';
import { kindOf } from './output-stream.ts';
import { Timestamp } from './timestamp.ts';
import type { NodePlan, SidePacketPlan, TagSlots } from './validated-graph.ts';

/** What a node's context asks of the run. */
export interface ContextHost {
  readonly hasFailed: boolean;
  readonly signal: AbortSignal;
  readonly services: ReadonlyMap<string, unknown>;
  sidePacket(name: string): unknown;
  /** Throws when it is set already. */
  setSidePacket(name: string, value: unknown): void;
}

/** The context of one node in one run; the engine moves its clock. */
export class NodeContext implements CalculatorContext {
  readonly node: string;
  readonly options: unknown;
  readonly inputs: InputPorts<PortDeclarations>;
  readonly outputs: OutputPorts<PortDeclarations>;
  readonly inputPorts: readonly InputPort[];
  outputPorts: readonly OutputStream[] = [];
  sidePackets: SidePackets<PortDeclarations> = {};
  outputSidePackets: OutputSidePackets<PortDeclarations> = {};
  timestamp: bigint = Timestamp.Unstarted;
  timestampOffset: bigint | undefined;
  stopRequested = false;
  isOpening = false;
  readonly #host: ContextHost;

  readonly service = <T>(name: string): T => {
    if (this.#host.services.has(name)) return this.#host.services.get(name) as T;
    throw new GraphError('FAILED_PRECONDITION', `the run has no service "${name}"`);
  };

  readonly hasService = (name: string): boolean => this.#host.services.has(name);

  readonly stop = (): void => {
    if (this.isOpening || this.timestamp === Timestamp.Done) {
      throw new GraphError('FAILED_PRECONDITION', 'stop is only allowed in process');
    }
    this.stopRequested = true;
  };

  readonly setTimestampOffset = (offset: bigint): void => {
    if (!this.isOpening) throw new GraphError('FAILED_PRECONDITION', 'setTimestampOffset is only allowed in open');
    this.timestampOffset = offset;
  };

  /** `makeOutputs` is called with the context, the clock of its outputs. */
  constructor(
    plan: NodePlan,
    inputs: readonly InputPort[],
    makeOutputs: (clock: NodeContext) => readonly OutputStream[],
    host: ContextHost,
  ) {
    this.node = plan.name;
    this.options = plan.options;
    this.timestampOffset = plan.timestampOffset;
    this.inputPorts = inputs;
    this.#host = host;
    this.outputPorts = makeOutputs(this);
    this.inputs = byTag(plan.inputTags, inputs) as InputPorts<PortDeclarations>;
    this.outputs = byTag(plan.outputTags, this.outputPorts) as OutputPorts<PortDeclarations>;
  }

  get isCancelled(): boolean {
    return this.#host.hasFailed;
  }

  get signal(): AbortSignal {
    return this.#host.signal;
  }

  /** Before `open`: all side packets are there. */
  bindSidePackets({ sideInputs, sideInputTags, sideOutputs, sideOutputTags }: NodePlan): void {
    if (sideInputTags.length > 0) {
      const values = sideInputs.map(({ name }) => this.#host.sidePacket(name));
      const lists = sideInputTags.map(({ tag, slots }) => [
        tag,
        typeof slots === 'number'
          ? values[slots]
          : slots.map((at) => values[at]).filter((value) => value !== undefined),
      ]);
      this.sidePackets = Object.fromEntries(lists) as SidePackets<PortDeclarations>;
    }
    if (sideOutputTags.length === 0) return;
    const ports = sideOutputs.map((plan) => ({ set: (value: unknown) => this.#setSidePacket(plan, value) }));
    this.outputSidePackets = byTag(sideOutputTags, ports) as OutputSidePackets<PortDeclarations>;
  }

  #setSidePacket({ name, type }: SidePacketPlan, value: unknown): void {
    if (!type.accepts(value)) {
      throw new GraphError(
        'INVALID_ARGUMENT',
        `Packet type mismatch on output side packet "${name}": The Packet stores "${kindOf(value)}", but "${type.name}" was requested.`,
      );
    }
    this.#host.setSidePacket(name, value);
  }
}

/** An object with a port, or a list of ports, per tag. */
function byTag<Port>(tags: readonly TagSlots[], ports: readonly Port[]): Record<string, Port | Port[] | undefined> {
  const view: Record<string, Port | Port[] | undefined> = {};
  for (const { tag, slots } of tags) {
    view[tag] =
      typeof slots === 'number' ? ports[slots] : slots.map((at) => ports[at]).filter((port) => port !== undefined);
  }
  return view;
}
