import {
  anyPacket,
  defineCalculator,
  nextTimestamp,
  optional,
  sameAs,
  Timestamp,
  type InputPort,
  type OutputPort,
  type Packet,
} from '../../../graph/index.ts';
import { bool, int } from '../packet-types.ts';
import {
  boundOf,
  ChannelHistory,
  earlier,
  firstChannel,
  parseChannelTag,
  raise,
  refuseTwoControls,
  switchOptions,
} from './channels.ts';
import { passSidePackets } from './side-channels.ts';

/**
 * Sends what comes to the chosen one of several channels: input TAG to output C0__TAG, C1__TAG …; SELECT (a number) or
 * ENABLE (channel 1 if true), as a stream, side packet or option, chooses. A packet waits until the channel at its time is
 * known. A channel that is left learns by a bound that nothing more comes. Side packets go to all channels.
 *
 * node { calculator: "SwitchDemuxCalculator" input_stream: "ENABLE:enable" input_stream: "IMAGE:frames"
 *        output_stream: "C0__IMAGE:frames_0" output_stream: "C1__IMAGE:frames_1" }
 */
export const switchDemux = defineCalculator({
  name: 'SwitchDemuxCalculator',
  options: switchOptions,
  inputs: { '*': anyPacket, SELECT: optional(int), ENABLE: optional(bool) },
  outputs: { '*': anyPacket },
  inputSidePackets: { '*': anyPacket, SELECT: optional(int), ENABLE: optional(bool) },
  outputSidePackets: { '*': anyPacket },
  processTimestampBounds: true,
  contract(node) {
    refuseTwoControls(node);
    node.inputPolicy = node.options.synchronizeIo ? 'DefaultInputStreamHandler' : 'ImmediateInputStreamHandler';
    for (const [outputs, inputs] of [
      [node.outputs, node.inputs],
      [node.outputSidePackets, node.inputSidePackets],
    ] as const) {
      for (const output of outputs) {
        const tag = parseChannelTag(output.tag)?.tag;
        if (tag === undefined) return node.fail(`output "${output.tag}": a tag like C0__TAG expected`);
        const input = inputs.get(tag, output.index);
        if (input === undefined) return node.fail(`output "${output.tag}" needs an input "${tag}:${output.index}"`);
        if (outputs === node.outputs) output.type = sameAs(tag, output.index);
      }
    }
  },
  open({ options, inputs, inputPorts, outputPorts, sidePackets, outputSidePackets }) {
    passSidePackets(sidePackets, outputSidePackets, (tag) => parseChannelTag(tag)?.tag);
    const isFixed = inputs.SELECT === undefined && inputs.ENABLE === undefined;
    const history = new ChannelHistory(firstChannel(options, sidePackets), isFixed || options.asyncSelection);
    const routes = inputPorts
      .filter((input) => input !== inputs.SELECT && input !== inputs.ENABLE)
      .map((input) => new Route(input, outputPorts));
    if (inputPorts.length === 0) return;
    return {
      process({ inputs }) {
        history.record(inputs);
        for (const route of routes) route.relay(history);
        history.forgetBefore(routes.reduce((least, { next }) => earlier(least, next), Timestamp.Done as bigint));
      },
    };
  },
});

/** One input and its outputs, one per channel. */
class Route {
  /** The lowest time that is not relayed yet. */
  next: bigint = Timestamp.PreStream;
  readonly #input: InputPort;
  readonly #outputs: readonly (OutputPort | undefined)[];
  readonly #waiting: Packet[] = [];
  #lastSeen: Packet | undefined;

  constructor(input: InputPort, outputs: readonly OutputPort[]) {
    this.#input = input;
    const channels: (OutputPort | undefined)[] = [];
    for (const output of outputs) {
      const parsed = parseChannelTag(output.tag);
      if (parsed?.tag === input.tag && output.index === input.index) channels[parsed.channel] = output;
    }
    this.#outputs = channels;
  }

  relay(history: ChannelHistory): void {
    const { packet, isDone } = this.#input;
    if (packet !== undefined && packet !== this.#lastSeen) this.#waiting.push((this.#lastSeen = packet));
    for (;;) {
      const { channel, end } = history.at(this.next);
      const output = this.#outputs[channel];
      const limit = earlier(history.known, end);
      for (let [head] = this.#waiting; head !== undefined && head.timestamp < limit; [head] = this.#waiting) {
        this.#waiting.shift();
        output?.send(head);
        this.next = nextTimestamp(head.timestamp);
      }
      const bound = earlier(boundOf(this.#input), limit);
      if (bound > this.next) {
        this.next = bound;
        if (output !== undefined) raise(output, bound);
      }
      if (end === undefined || this.next < end) break;
    }
    if (!isDone || this.#waiting.length > 0) return;
    const last = this.#outputs[history.at(this.next).channel];
    for (const output of this.#outputs) if (output !== last) output?.close();
  }
}
