import type { z } from 'zod';
import { emptyOptions } from './empty-options.ts';
import type { NodeContract } from './node-contract.ts';
import type { PacketType } from './packet-type.ts';
import type { CalculatorContext, CalculatorInstance } from './calculator-context.ts';

/** A port that a node may leave unconnected. */
export interface OptionalPort<T = unknown> {
  readonly kind: 'optional';
  readonly type: PacketType<T>;
}

/** A tag with any number of indexes from `min` (1 unless given) to `max`. */
export interface RepeatedPort<T = unknown> {
  readonly kind: 'repeated';
  readonly type: PacketType<T>;
  readonly min: number;
  readonly max: number;
}

export type PortDeclaration = PacketType | OptionalPort | RepeatedPort;

/**
 * Ports by tag; `''` is the empty tag. The key `'*'` accepts every tag not named, with that type; such ports are reached
 * through `inputPorts` and `outputPorts`.
 */
export type PortDeclarations = Readonly<Record<string, PortDeclaration>>;

export function optional<T>(type: PacketType<T>): OptionalPort<T> {
  return { kind: 'optional', type };
}

export function repeated<T>(type: PacketType<T>, { min = 1, max = Infinity } = {}): RepeatedPort<T> {
  return { kind: 'repeated', type, min, max };
}

/** The input policies of MediaPipe, by the name that a graph file gives them. */
export type InputPolicyName =
  | 'DefaultInputStreamHandler'
  | 'ImmediateInputStreamHandler'
  | 'SyncSetInputStreamHandler'
  | 'FixedSizeInputStreamHandler'
  | 'EarlyCloseInputStreamHandler'
  | 'BarrierInputStreamHandler'
  | 'MuxInputStreamHandler'
  | 'TimestampAlignInputStreamHandler';

/** What a calculator declares; see {@link defineCalculator}. */
export interface CalculatorSpec<
  Options,
  In extends PortDeclarations,
  Out extends PortDeclarations,
  SideIn extends PortDeclarations,
  SideOut extends PortDeclarations,
> {
  /** The name a graph file uses. */
  readonly name: string;
  /** A zod object with camelCase keys; graph files write them in snake_case. */
  readonly options?: z.ZodType<Options>;
  /**
   * Full names of the messages that graph files put the options in, such as `mediapipe.GateCalculatorOptions`. A node of such a
   * calculator has no options of a type that no calculator has. Without it any type will do.
   */
  readonly optionTypes?: readonly string[];
  readonly inputs?: In;
  readonly outputs?: Out;
  readonly inputSidePackets?: SideIn;
  readonly outputSidePackets?: SideOut;
  /**
   * A promise about time: what is sent while processing inputs at `t` is at `t + timestampOffset` or later, so outputs are
   * settled up to there afterwards. Without it an output's bound moves only with its packets and `setBound`.
   */
  readonly timestampOffset?: number;
  /** Call `process` also for times that are settled without any packet. */
  readonly processTimestampBounds?: boolean;
  /** When the node runs; a node's or graph's `input_stream_handler` overrides it. */
  readonly inputPolicy?: InputPolicyName;
  /** Names of services that must be there when a run starts. */
  readonly services?: readonly string[];
  /** The calculator measures time by timestamps, so numbering requests 0, 1, 2 … would mislead it. */
  readonly measuresTime?: boolean;
  /** Fits the contract to one node: link types, check counts, choose a policy. Throws or calls `fail` to refuse the node. */
  contract?(node: NodeContract<Options>): void;
  /** A check of option values without side effects; returns or throws what is wrong. Runs at validation. */
  check?(options: Options): string | undefined | void;
  /** Once per run, when all side packets are there. State lives in the closure; a failed `open` needs no `close`. */
  open(
    context: CalculatorContext<Options, In, Out, SideIn, SideOut>,
  ):
    | CalculatorInstance<CalculatorContext<Options, In, Out, SideIn, SideOut>>
    | void
    | Promise<CalculatorInstance<CalculatorContext<Options, In, Out, SideIn, SideOut>> | void>;
}

/** A calculator as the engine holds it: the declaration with its types erased and its defaults filled in. */
export interface CalculatorDefinition {
  readonly name: string;
  readonly options: z.ZodType;
  readonly optionTypes: readonly string[] | undefined;
  readonly inputs: PortDeclarations;
  readonly outputs: PortDeclarations;
  readonly inputSidePackets: PortDeclarations;
  readonly outputSidePackets: PortDeclarations;
  readonly timestampOffset: bigint | undefined;
  readonly processTimestampBounds: boolean;
  readonly inputPolicy: InputPolicyName | undefined;
  readonly services: readonly string[];
  readonly measuresTime: boolean;
  readonly contract: ((node: NodeContract) => void) | undefined;
  readonly check: ((options: unknown) => string | undefined | void) | undefined;
  open(context: CalculatorContext): CalculatorInstance | void | Promise<CalculatorInstance | void>;
}

type None = Readonly<Record<never, never>>;

/**
 * Makes a calculator.
 *
 * @example
 * export const decimate = defineCalculator({
 *   name: 'DecimateCalculator',
 *   options: z.object({ keepEvery: z.int().min(1).default(2) }),
 *   inputs: { IN: anyPacket },
 *   outputs: { OUT: sameAs('IN') },
 *   timestampOffset: 0,
 *   open({ options }) {
 *     let seen = 0;
 *     return {
 *       process({ inputs, outputs }) {
 *         const { packet } = inputs.IN;
 *         if (packet !== undefined && seen++ % options.keepEvery === 0) outputs.OUT.send(packet);
 *       },
 *     };
 *   },
 * });
 */
export function defineCalculator<
  Options = None,
  const In extends PortDeclarations = None,
  const Out extends PortDeclarations = None,
  const SideIn extends PortDeclarations = None,
  const SideOut extends PortDeclarations = None,
>(spec: CalculatorSpec<Options, In, Out, SideIn, SideOut>): CalculatorDefinition {
  const erased = spec as unknown as CalculatorDefinition;
  return {
    name: spec.name,
    options: spec.options ?? emptyOptions,
    optionTypes: spec.optionTypes,
    inputs: spec.inputs ?? {},
    outputs: spec.outputs ?? {},
    inputSidePackets: spec.inputSidePackets ?? {},
    outputSidePackets: spec.outputSidePackets ?? {},
    timestampOffset: spec.timestampOffset === undefined ? undefined : BigInt(spec.timestampOffset),
    processTimestampBounds: spec.processTimestampBounds ?? false,
    inputPolicy: spec.inputPolicy,
    services: spec.services ?? [],
    measuresTime: spec.measuresTime ?? false,
    contract: erased.contract?.bind(erased),
    check: erased.check?.bind(erased),
    open: erased.open.bind(erased),
  };
}
