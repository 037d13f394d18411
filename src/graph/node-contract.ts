import type { InputPolicyName } from './calculator.ts';
import type { PacketType } from './packet-type.ts';

/** A port of the node at hand while its contract is made. */
export interface ContractPort {
  readonly tag: string;
  readonly index: number;
  readonly name: string;
  /** As declared; may be narrowed. For "same as": `sameAs(tag, index)`. */
  type: PacketType;
}

export interface ContractPorts extends Iterable<ContractPort> {
  readonly all: readonly ContractPort[];
  has(tag: string): boolean;
  /** How many indexes the tag has. */
  count(tag: string): number;
  get(tag: string, index?: number): ContractPort | undefined;
}

/** The node a contract is for: its options, its ports in collection order, and what may be chosen for it. */
export interface NodeContract<Options = unknown> {
  readonly options: Options;
  readonly inputs: ContractPorts;
  readonly outputs: ContractPorts;
  readonly inputSidePackets: ContractPorts;
  readonly outputSidePackets: ContractPorts;
  timestampOffset: bigint | undefined;
  processTimestampBounds: boolean;
  inputPolicy: InputPolicyName | undefined;
  /** Whether the node may run for this input while others have nothing, by the policy that is in force for the node. */
  waitsForNoOther(this: void, input: ContractPort): boolean;
  /** Refuses the node. */
  fail(this: void, message: string): never;
}
