import { z } from 'zod';
import { anyPacket, defineCalculator, enumOption, optional, repeated, sameAs } from '../../graph/index.ts';
import { copyHeaders } from './headers.ts';
import { bool } from './packet-types.ts';

/**
 * Lets packets pass while it is open. Controlled by the stream ALLOW or DISALLOW (no packet at a time closes it then), by
 * the side packet ALLOW or DISALLOW, or by the option `allow`. STATE_CHANGE tells of changes, not of the first state.
 *
 * node { calculator: "GateCalculator" input_stream: "frames" input_stream: "ALLOW:ok" output_stream: "allowed_frames" }
 */
export const gate = defineCalculator({
  name: 'GateCalculator',
  options: z.object({
    emptyPacketsAsAllow: z.boolean().default(false).describe('A control stream without a packet opens the gate.'),
    allow: z.boolean().default(false).describe('The state when neither a stream nor a side packet controls the gate.'),
    initialGateState: enumOption({ UNSPECIFIED: 0, GATE_UNINITIALIZED: 1, GATE_ALLOW: 2, GATE_DISALLOW: 3 })
      .optional()
      .describe('The state before the first time; the first change is told only if it is known.'),
  }),
  inputs: { '': repeated(anyPacket), ALLOW: optional(bool), DISALLOW: optional(bool) },
  outputs: { '': repeated(anyPacket), STATE_CHANGE: optional(bool) },
  inputSidePackets: { ALLOW: optional(bool), DISALLOW: optional(bool) },
  timestampOffset: 0, // a closed gate settles its outputs
  contract({ inputs, outputs, inputSidePackets, fail }) {
    const controls = [inputs, inputSidePackets].flatMap((ports) =>
      ['ALLOW', 'DISALLOW'].filter((tag) => ports.has(tag)),
    );
    if (controls.length > 1) fail('a gate takes one control: ALLOW or DISALLOW, as a stream or as a side packet');
    if (inputs.count('') !== outputs.count('')) fail('a gate has as many data outputs as data inputs');
    for (const output of outputs) if (output.tag === '') output.type = sameAs('', output.index);
  },
  open({ options, sidePackets, inputs, outputs }) {
    copyHeaders(inputs[''], outputs['']);
    const { ALLOW, DISALLOW } = sidePackets;
    const bySidePacket = ALLOW ?? (DISALLOW === undefined ? undefined : !DISALLOW);
    const byStream = inputs.ALLOW !== undefined || inputs.DISALLOW !== undefined;
    const fixed = bySidePacket ?? (byStream ? options.emptyPacketsAsAllow : options.allow);
    let last = { GATE_ALLOW: true, GATE_DISALLOW: false, GATE_UNINITIALIZED: undefined, UNSPECIFIED: undefined }[
      options.initialGateState ?? 'UNSPECIFIED'
    ];
    return {
      process({ inputs, outputs }) {
        const disallow = inputs.DISALLOW?.packet?.value;
        const allow = inputs.ALLOW?.packet?.value ?? (disallow === undefined ? fixed : !disallow);
        if (last !== undefined && last !== allow) outputs.STATE_CHANGE?.send(allow);
        last = allow;
        if (!allow) {
          // Nothing will ever come: tell nodes downstream, which may not pass on bounds.
          if (bySidePacket !== undefined) for (const output of outputs['']) output.close();
          return;
        }
        inputs[''].forEach(({ packet }, at) => {
          if (packet !== undefined) outputs[''][at]?.send(packet);
        });
      },
    };
  },
});
