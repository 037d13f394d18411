import { z } from 'zod';
import {
  createGraphConfig,
  defineSubgraph,
  GraphError,
  parseTagMap,
  type HandlerConfig,
  type NodeConfig,
  type OptionFields,
  type OptionMessage,
  type TagEntry,
} from '../../../graph/index.ts';
import { channelTag, switchOptions, type SwitchOptions } from './channels.ts';

const messages = z.record(z.string(), z.custom<OptionFields>());

const containedNode = z.object({
  name: z.string().default(''),
  calculator: z.string(),
  options: messages.optional(),
  nodeOptions: z.array(messages).default([]),
  inputStreamHandler: z.object({ inputStreamHandler: z.string().default(''), options: messages.optional() }).optional(),
  executor: z.string().default(''),
  maxInFlight: z.int().default(1),
});

const containerOptions = switchOptions.extend({
  containedNode: z
    .array(containedNode)
    .min(1)
    .describe('The calculator or subgraph of each channel; its streams are those of the container.'),
});

/**
 * One of several nodes does the work: each packet goes to the chosen one, whose results are passed on. SELECT (a number) or
 * ENABLE (channel 1 if true), as a stream, side packet or option, chooses; see SwitchDemux and SwitchMux, between which the
 * contained nodes are put. All of them open; side packets go to all.
 *
 * node { calculator: "SwitchContainer" input_stream: "ENABLE:exact" input_stream: "IMAGE:frames" output_stream: "MASK:mask"
 *        options { [mediapipe.SwitchContainerOptions.ext] { contained_node { calculator: "QuickMask" }
 *                                                           contained_node { calculator: "ExactMask" } } } }
 */
export const switchContainer = defineSubgraph({
  name: 'SwitchContainer',
  options: containerOptions,
  expand(node, { containedNode: contained, ...options }) {
    const inner = innerNames(node);
    const data = {
      inputs: dataPorts(inner.inputStream),
      outputs: dataPorts(inner.outputStream),
      sideInputs: dataPorts(inner.inputSidePacket),
      sideOutputs: dataPorts(inner.outputSidePacket),
    };
    const controls = controlsOf(inner);
    const channels = contained.map((_, channel) => channel);
    const perChannel = (ports: readonly TagEntry[]) =>
      channels.flatMap((channel) => ports.map((port) => ofChannel(port, channel, channelTag(port.tag, channel))));
    const shared = [{ type: 'mediapipe.SwitchContainerOptions', fields: optionFields(options) }];
    const demux: Partial<NodeConfig> = {
      calculator: 'SwitchDemuxCalculator',
      inputStream: [...controls.streams, ...data.inputs.map(entryOf)],
      outputStream: perChannel(data.inputs),
      inputSidePacket: [...controls.sidePackets, ...data.sideInputs.map(entryOf)],
      outputSidePacket: perChannel(data.sideInputs),
      options: shared,
      inputStreamHandler: node.inputStreamHandler ?? handler(options.synchronizeIo ? 'Default' : 'Immediate'),
    };
    const mux: Partial<NodeConfig> = {
      calculator: 'SwitchMuxCalculator',
      inputStream: [...controls.streams, ...ticks(data.inputs, options), ...perChannel(data.outputs)],
      outputStream: data.outputs.map(entryOf),
      inputSidePacket: [...controls.sidePackets, ...perChannel(data.sideOutputs)],
      outputSidePacket: data.sideOutputs.map(entryOf),
      options: shared,
      inputStreamHandler: handler('Immediate'),
    };
    const between = contained.map((fields, channel): Partial<NodeConfig> => {
      const connect = (ports: readonly TagEntry[]) => ports.map((port) => ofChannel(port, channel, port.tag));
      return {
        ...toNode(fields),
        inputStream: connect(data.inputs),
        outputStream: connect(data.outputs),
        inputSidePacket: connect(data.sideInputs),
        outputSidePacket: connect(data.sideOutputs),
      };
    });
    return createGraphConfig({ ...inner, type: 'SwitchContainer', node: [demux, mux, ...between] });
  },
});

const CONTROLS = ['SELECT', 'ENABLE'];

type PortLists = Pick<NodeConfig, 'inputStream' | 'outputStream' | 'inputSidePacket' | 'outputSidePacket'>;

/** The container's own entries with a name of their own for each: outside, one stream may be connected twice. */
function innerNames({ inputStream, outputStream, inputSidePacket, outputSidePacket }: NodeConfig): PortLists {
  const unique = (lists: readonly (readonly string[])[]) => {
    const taken = new Set<string>();
    return lists.map((entries) =>
      entries.map((entry) => {
        const at = entry.lastIndexOf(':') + 1;
        const name = entry.slice(at);
        let free = name;
        for (let nth = 2; taken.has(free); nth++) free = `${name}_${nth}`;
        taken.add(free);
        return entry.slice(0, at) + free;
      }),
    );
  };
  const [ins = [], outs = []] = unique([inputStream, outputStream]);
  const [sideIns = [], sideOuts = []] = unique([inputSidePacket, outputSidePacket]);
  return { inputStream: ins, outputStream: outs, inputSidePacket: sideIns, outputSidePacket: sideOuts };
}

/** Entries that are not controls. Malformed ones are left out: they are reported where the container is connected. */
function dataPorts(entries: readonly string[]): TagEntry[] {
  return parseTagMap(entries, []).filter(({ tag }) => !CONTROLS.includes(tag));
}

function controlsOf({ inputStream, inputSidePacket }: PortLists) {
  const only = (entries: readonly string[]) =>
    entries.filter((entry) => CONTROLS.some((tag) => entry.startsWith(`${tag}:`)));
  return { streams: only(inputStream), sidePackets: only(inputSidePacket) };
}

function entryOf({ tag, index, name }: TagEntry): string {
  return tag === '' ? name : `${tag}:${index}:${name}`;
}

function ofChannel({ index, name }: TagEntry, channel: number, tag: string): string {
  return entryOf({ tag, index, name: `c${channel}__${name}` });
}

function ticks(inputs: readonly TagEntry[], { tickInputStream }: SwitchOptions): string[] {
  return tickInputStream.map((wanted, at) => {
    const found = inputs.find(({ tag, index }) => wanted === `${tag}:${index}` || (index === 0 && wanted === tag));
    if (found === undefined) {
      throw new GraphError('INVALID_ARGUMENT', `tick_input_stream "${wanted}" is no input of the container`);
    }
    return `TICK:${at}:${found.name}`;
  });
}

function optionFields({ select, enable, synchronizeIo, asyncSelection }: SwitchOptions): OptionFields {
  return {
    ...(select !== undefined && { select }),
    ...(enable !== undefined && { enable }),
    synchronize_io: synchronizeIo,
    async_selection: asyncSelection,
  };
}

function handler(name: 'Default' | 'Immediate'): HandlerConfig {
  return { handler: `${name}InputStreamHandler`, options: [] };
}

function toNode({
  options,
  nodeOptions,
  inputStreamHandler,
  ...fields
}: z.infer<typeof containedNode>): Partial<NodeConfig> {
  return {
    ...fields,
    options: toMessages(options),
    nodeOptions: nodeOptions.flatMap(toMessages),
    ...(inputStreamHandler !== undefined && {
      inputStreamHandler: {
        handler: inputStreamHandler.inputStreamHandler,
        options: toMessages(inputStreamHandler.options),
      },
    }),
  };
}

/** Option messages as a graph file's reader leaves them within options: by `[type]`. */
function toMessages(byType: Readonly<Record<string, OptionFields>> = {}): OptionMessage[] {
  return Object.entries(byType).map(([type, fields]) => ({ type: type.replace(/^\[|\]$/g, ''), fields }));
}
