import { anyPacket, defineCalculator, optional, PacketType, repeated, type Packet } from '../../graph/index.ts';

type Callback = (packet: Packet | undefined) => void;
type VectorCallback = (packets: readonly (Packet | undefined)[]) => void;

const isFunction = (value: unknown) => typeof value === 'function';
const callbackType = new PacketType<Callback>('std::function<void(const Packet&)>', isFunction);
const vectorCallbackType = new PacketType<VectorCallback>(
  'std::function<void(const std::vector<Packet>&)>',
  isFunction,
);

/**
 * Hands packets to code of the application: the side packet CALLBACK gets the packet of the one input, VECTOR_CALLBACK those of
 * all inputs at one time, `undefined` for what is not there. What they throw fails the run.
 *
 * node { calculator: "CallbackCalculator" input_stream: "result" input_side_packet: "CALLBACK:take" }
 */
export const callback = defineCalculator({
  name: 'CallbackCalculator',
  inputs: { '': repeated(anyPacket) },
  inputSidePackets: { CALLBACK: optional(callbackType), VECTOR_CALLBACK: optional(vectorCallbackType) },
  contract({ inputs, inputSidePackets, fail }) {
    if (inputSidePackets.has('CALLBACK') === inputSidePackets.has('VECTOR_CALLBACK')) {
      fail('one side packet is required: CALLBACK or VECTOR_CALLBACK');
    }
    if (inputSidePackets.has('CALLBACK') && inputs.count('') > 1) fail('CALLBACK takes one input; use VECTOR_CALLBACK');
  },
  open: ({ sidePackets: { CALLBACK, VECTOR_CALLBACK } }) => ({
    process({ inputs }) {
      CALLBACK?.(inputs[''][0]?.packet);
      VECTOR_CALLBACK?.(inputs[''].map(({ packet }) => packet));
    },
  }),
});
