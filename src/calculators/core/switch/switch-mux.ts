import {
  anyPacket,
  defineCalculator,
  nextTimestamp,
  optional,
  repeated,
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
  channelTag,
  earlier,
  firstChannel,
  parseChannelTag,
  raise,
  refuseTwoControls,
  switchOptions,
} from './channels.ts';
import { passSidePackets } from './side-channels.ts';

/**
 * Passes on what comes from the chosen one of several channels: inputs C0__TAG, C1__TAG … to output TAG; SELECT (a number) or
 * ENABLE (channel 1 if true), as a stream, side packet or option, chooses. Packets wait until the channel at their time is
 * known, and until the channel before has nothing more to come (with TICK: has come to its last tick), so that order is kept
 * and nothing is lost. Packets of a channel at times at which it is not chosen are dropped. Side packets come from the channel
 * chosen at the start.
 *
 * node { calculator: "SwitchMuxCalculator" input_stream: "ENABLE:enable" input_stream: "C0__MASK:mask_0"
 *        input_stream: "C1__MASK:mask_1" output_stream: "MASK:mask" }
 */
export const switchMux = defineCalculator({
  name: 'SwitchMuxCalculator',
  options: switchOptions,
  inputs: {
    '*': anyPacket,
    SELECT: optional(int),
    ENABLE: optional(bool),
    TICK: repeated(anyPacket, { min: 0 }),
  },
  outputs: { '*': anyPacket },
  inputSidePackets: { '*': anyPacket, SELECT: optional(int), ENABLE: optional(bool) },
  outputSidePackets: { '*': anyPacket },
  inputPolicy: 'ImmediateInputStreamHandler',
  processTimestampBounds: true,
  contract(node) {
    refuseTwoControls(node);
    for (const { tag } of node.inputs) {
      if (parseChannelTag(tag) !== undefined || ['SELECT', 'ENABLE', 'TICK'].includes(tag)) continue;
      node.fail(`input "${tag}": a tag like C0__TAG expected`);
    }
    for (const output of node.outputs) {
      const { tag, index } = output;
      const input = node.inputs.all.find((port) => port.index === index && parseChannelTag(port.tag)?.tag === tag);
      if (input === undefined) return node.fail(`output "${tag}:${index}" needs an input like "C0__${tag}:${index}"`);
      output.type = sameAs(input.tag, index);
    }
  },
  open({ options, inputs, inputPorts, outputPorts, sidePackets, outputSidePackets }) {
    const first = firstChannel(options, sidePackets);
    passSidePackets(sidePackets, outputSidePackets, (tag) => channelTag(tag, first));
    if (inputPorts.length === 0) return;
    const isFixed = inputs.SELECT === undefined && inputs.ENABLE === undefined;
    const history = new ChannelHistory(first, isFixed || options.asyncSelection);
    const ticks = inputs.TICK.length === 0 ? undefined : new Ticks();
    const joins = outputPorts.map((output) => new Join(output, inputPorts));
    return {
      process({ inputs }) {
        history.record(inputs);
        ticks?.record(inputs.TICK);
        for (const join of joins) join.relay(history, ticks);
        const next = joins.reduce((least, { next }) => earlier(least, next), Timestamp.Done as bigint);
        history.forgetBefore(next);
        ticks?.forgetBefore(next);
      },
    };
  },
});

/** The times at which results are due. */
class Ticks {
  #times: bigint[] = [];
  /** The lowest time at which a tick may still come. */
  #bound: bigint = Timestamp.PreStream;

  record(inputs: readonly InputPort[]): void {
    for (const { packet } of inputs) {
      if (packet !== undefined && packet.timestamp > (this.#times.at(-1) ?? Timestamp.Unset)) {
        this.#times.push(packet.timestamp);
      }
    }
    this.#bound = inputs.map(boundOf).reduce((least, bound) => earlier(least, bound), Timestamp.Done as bigint);
  }

  /** Whether a stream that is settled before `settled` has come to the last tick before `end`. */
  areDone(settled: bigint, end: bigint): boolean {
    if (this.#bound < end) return false;
    const last = this.#times.findLast((t) => t < end);
    return last === undefined || settled > last;
  }

  forgetBefore(t: bigint): void {
    this.#times = this.#times.filter((time) => time >= t);
  }
}

/** One output and its inputs, one per channel. */
class Join {
  readonly #output: OutputPort;
  readonly #channels: readonly ({ readonly input: InputPort; readonly waiting: Packet[] } | undefined)[];
  /** The lowest time that is not relayed yet. */
  next: bigint = Timestamp.PreStream;

  constructor(output: OutputPort, inputs: readonly InputPort[]) {
    this.#output = output;
    const channels: { readonly input: InputPort; readonly waiting: Packet[] }[] = [];
    for (const input of inputs) {
      const parsed = parseChannelTag(input.tag);
      if (parsed?.tag === output.tag && input.index === output.index) {
        channels[parsed.channel] = { input, waiting: [] };
      }
    }
    this.#channels = channels;
  }

  relay(history: ChannelHistory, ticks: Ticks | undefined): void {
    for (const channel of this.#channels) {
      const packet = channel?.input.packet;
      if (packet !== undefined && packet !== channel?.waiting.at(-1)) channel?.waiting.push(packet);
    }
    for (;;) {
      const { channel, end } = history.at(this.next);
      const limit = earlier(history.known, end);
      const from = this.#channels[channel];
      const settled = this.#relayChannel(from, limit, end);
      const isDone = end !== undefined && limit === end && (settled >= end || ticks?.areDone(settled, end) === true);
      if (!isDone) break;
      this.next = end; // not told: what the next channel brings says more
    }
    for (const channel of this.#channels) dropBefore(channel?.waiting ?? [], this.next);
  }

  /** Sends what is there before `limit`. Returns the lowest time that may still come on the channel. */
  #relayChannel(
    from: { readonly input: InputPort; readonly waiting: Packet[] } | undefined,
    limit: bigint,
    end: bigint | undefined,
  ): bigint {
    if (from === undefined) {
      this.#settle(limit); // there is no such channel: nothing comes
      return Timestamp.Done;
    }
    const { input, waiting } = from;
    dropBefore(waiting, this.next);
    for (let [head] = waiting; head !== undefined && head.timestamp < limit; [head] = waiting) {
      waiting.shift();
      this.#output.send(head);
      this.next = nextTimestamp(head.timestamp);
    }
    const settled = boundOf(input);
    const isLeft = limit === end && settled >= end;
    if (!isLeft && (waiting.length === 0 || limit < settled)) this.#settle(earlier(settled, limit));
    return settled;
  }

  #settle(bound: bigint): void {
    if (bound > this.next) this.next = bound;
    raise(this.#output, bound);
  }
}

function dropBefore(waiting: Packet[], t: bigint): void {
  while (waiting[0] !== undefined && waiting[0].timestamp < t) waiting.shift();
}
