import { anyPacket, PacketType, sameAs } from './packet-type.ts';
import { defineCalculator, optional, type CalculatorDefinition } from './calculator.ts';
import type { CalculatorContext } from './calculator-context.ts';
import { CalculatorRegistry } from './calculator-registry.ts';
import { GraphRun } from './graph-run.ts';
import { parseGraphConfig } from './parse-graph-config.ts';
import type { GraphRunOptions } from './run-core.ts';
import type { StatusHandlerDefinition } from './status-handler.ts';
import { timestampName } from './timestamp.ts';
import { validateGraph } from './validate-graph.ts';

/** For tests of the engine: copies inputs to outputs by position, settling at the input timestamp. */
export const copy = defineCalculator({
  name: 'Copy',
  inputs: { '*': anyPacket },
  outputs: { '*': anyPacket },
  timestampOffset: 0,
  open: () => ({
    process({ inputPorts, outputPorts }) {
      inputPorts.forEach(({ packet }, at) => {
        if (packet !== undefined) outputPorts[at]?.send(packet);
      });
    },
  }),
});

/** A graph of one node: `a` copied to `b`. */
export const oneNode = 'input_stream: "a" node { calculator: "Copy" input_stream: "a" output_stream: "b" }';

/** Plain numbers. */
export const number = new PacketType<number>('number', (value) => typeof value === 'number');

/** Counts 0, 1, 2 … at those timestamps up to `count`. */
export const counter = defineCalculator({
  name: 'Counter',
  inputSidePackets: { COUNT: number, START: optional(anyPacket) },
  outputs: { '': anyPacket },
  open({ sidePackets }) {
    let next = 0;
    return {
      process({ outputs, stop }) {
        outputs[''].send(next, BigInt(next));
        if (++next === sidePackets.COUNT) stop();
      },
    };
  },
});

/** Answers when told to. */
export function slow() {
  const waiting: (() => void)[] = [];
  const definition = defineCalculator({
    name: 'Slow',
    inputs: { '': anyPacket },
    outputs: { '': sameAs('') },
    timestampOffset: 0,
    open: () => ({
      async process({ inputs, outputs }) {
        const { packet } = inputs[''];
        await new Promise<void>((resolve) => waiting.push(resolve));
        if (packet !== undefined) outputs[''].send(packet);
      },
    }),
  });
  return { definition, waiting };
}

/** A calculator that writes down its calls as `t a=1 b=-`, inputs by the name of their stream. */
export function recorder(name: string, calls: string[], processTimestampBounds = false): CalculatorDefinition {
  return defineCalculator({
    name,
    inputs: { '*': anyPacket },
    processTimestampBounds,
    open: () => ({
      process(context) {
        calls.push(describeCall(context));
      },
      close() {
        calls.push('close');
      },
    }),
  });
}

export function describeCall({ timestamp, inputPorts }: Pick<CalculatorContext, 'timestamp' | 'inputPorts'>): string {
  const ports = inputPorts.map(({ name, packet }) => `${name}=${packet === undefined ? '-' : String(packet.value)}`);
  return [timestampName(timestamp), ...ports].join(' ');
}

export interface TestRun {
  readonly run: GraphRun;
  /** Packets of the observed streams as `stream@t=value`, in the order in which they came. */
  readonly seen: string[];
  readonly add: (stream: string, timestamp: number | bigint, value?: unknown) => void;
  readonly idle: () => Promise<void>;
  /** Closes inputs and waits for the end. */
  readonly finish: () => Promise<void>;
}

/** Starts a graph of `calculators` (and `Copy`). */
export function startGraph(
  text: string,
  calculators: readonly CalculatorDefinition[],
  options: GraphRunOptions & {
    readonly observe?: readonly string[];
    readonly sidePackets?: Readonly<Record<string, unknown>>;
    readonly statusHandlers?: readonly StatusHandlerDefinition[];
    readonly headers?: Readonly<Record<string, unknown>>;
  } = {},
): TestRun {
  const graph = validateGraph(
    parseGraphConfig(text, 'test.pbtxt'),
    new CalculatorRegistry([copy, ...calculators], options.statusHandlers),
  );
  const run = new GraphRun(graph, options);
  const seen: string[] = [];
  for (const stream of options.observe ?? []) {
    run.observe(stream, ({ value, timestamp }) => seen.push(`${stream}@${timestampName(timestamp)}=${String(value)}`));
  }
  run.start(new Map(Object.entries(options.sidePackets ?? {})), new Map(Object.entries(options.headers ?? {})));
  return {
    run,
    seen,
    add: (stream, timestamp, value = Number(timestamp)) =>
      run.addPacket(stream, { value, timestamp: BigInt(timestamp) }),
    idle: () => run.waitUntilIdle(),
    async finish() {
      run.closeAllInputs();
      await run.waitUntilDone();
    },
  };
}
