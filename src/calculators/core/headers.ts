import { anyPacket, defineCalculator, optional, sameAs, type InputPort, type OutputPort } from '../../graph/index.ts';

/** In `open`: gives each output the header of the input at the same place. */
export function copyHeaders(inputs: readonly InputPort[], outputs: readonly OutputPort[]): void {
  inputs.forEach(({ header }, at) => {
    if (header !== undefined) outputs[at]?.setHeader(header);
  });
}

/**
 * Gives the stream DATA a header: that of the stream HEADER, which must not have packets, or the side packet HEADER.
 *
 * node { calculator: "AddHeaderCalculator" input_stream: "DATA:audio" input_side_packet: "HEADER:audio_format"
 *        output_stream: "audio_with_header" }
 */
export const addHeader = defineCalculator({
  name: 'AddHeaderCalculator',
  inputs: { DATA: anyPacket, HEADER: optional(anyPacket) },
  outputs: { '': sameAs('DATA', 0) },
  inputSidePackets: { HEADER: optional(anyPacket) },
  timestampOffset: 0,
  contract({ inputs, inputSidePackets, fail }) {
    if (inputs.has('HEADER') === inputSidePackets.has('HEADER')) {
      fail('HEADER is required, as a stream or as a side packet');
    }
  },
  open({ inputs, sidePackets, outputs }) {
    const header = sidePackets.HEADER ?? inputs.HEADER?.header;
    if (header !== undefined) outputs[''].setHeader(header);
    return {
      process({ inputs, outputs }) {
        if (inputs.HEADER?.packet !== undefined)
          throw new Error('the stream HEADER has a packet, only a header expected');
        if (inputs.DATA.packet !== undefined) outputs[''].send(inputs.DATA.packet);
      },
    };
  },
});
