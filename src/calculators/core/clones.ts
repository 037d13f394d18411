import { anyPacket, repeated, sameAs, type InputPort, type NodeContract, type OutputPort } from '../../graph/index.ts';

/** Ports of loops: what comes on CLONE:n is repeated on CLONE:n beside each item. */
export const clonePorts = repeated(anyPacket, { min: 0 });

/** The contract of those ports. */
export function linkClones({
  inputs,
  outputs,
  fail,
}: Pick<NodeContract<unknown>, 'inputs' | 'outputs' | 'fail'>): void {
  if (inputs.count('CLONE') !== outputs.count('CLONE')) fail('as many CLONE outputs as CLONE inputs are required');
  for (const output of outputs) if (output.tag === 'CLONE') output.type = sameAs('CLONE', output.index);
}

/** Repeats the present CLONE packets at an item's time. */
export function sendClones(inputs: readonly InputPort[], outputs: readonly OutputPort[], timestamp: bigint): void {
  inputs.forEach(({ packet }, at) => {
    if (packet !== undefined) outputs[at]?.send(packet, timestamp);
  });
}
