import { describe, expect, test } from 'vitest';
import {
  anyPacket,
  defineCalculator,
  GraphRun,
  parseGraphConfig,
  validateGraph,
  type Packet,
} from '../../graph/index.ts';
import { registry } from './test-kit.ts';

/** Runs a graph whose `in` has the header "h"; the header of `out`, and what the run had to say. */
async function headerOf(node: string, sidePackets: Readonly<Record<string, unknown>> = {}) {
  let header: unknown;
  const reader = defineCalculator({
    name: 'Reader',
    inputs: { '': anyPacket },
    open({ inputs }) {
      header = inputs[''].header;
    },
  });
  const text = `input_stream: "in" input_stream: "other" ${node} node { calculator: "Reader" input_stream: "out" }`;
  const run = new GraphRun(validateGraph(parseGraphConfig(text), registry.withCalculators(reader)));
  const packets: Packet[] = [];
  run.observe('out', (packet) => packets.push(packet));
  run.start(new Map(Object.entries(sidePackets)), new Map([['in', 'h']]));
  run.closeInput('other');
  run.addPacket('in', { value: 1, timestamp: 5n });
  run.closeAllInputs();
  await run.waitUntilDone();
  return { header, times: packets.map(({ timestamp }) => Number(timestamp)) };
}

test.each([
  'node { calculator: "PassThroughCalculator" input_stream: "in" output_stream: "out" }',
  'node { calculator: "GateCalculator" input_stream: "in" output_stream: "out" options { [x.Y.ext] { allow: true } } }',
  'node { calculator: "FlowLimiterCalculator" input_stream: "in" input_stream: "FINISHED:other" output_stream: "out" }',
  'node { calculator: "RealTimeFlowLimiterCalculator" input_stream: "in" input_stream: "FINISHED:other" output_stream: "out" }',
  'node { calculator: "PacketThinnerCalculator" input_stream: "in" output_stream: "out" }',
  'node { calculator: "PacketClonerCalculator" input_stream: "in" input_stream: "TICK:in" output_stream: "out" }',
  'node { calculator: "SequenceShiftCalculator" input_stream: "in" output_stream: "out" options { [x.Y.ext] { packet_offset: 0 } } }',
])('%s copies headers', async (node) => {
  expect(await headerOf(node)).toEqual({ header: 'h', times: [5] });
});

describe('AddHeader', () => {
  test('takes the header of a side packet', async () => {
    const node = `node { calculator: "AddHeaderCalculator" input_stream: "DATA:in" input_side_packet: "HEADER:side"
      output_stream: "out" }`;
    expect(await headerOf(node, { side: 'new' })).toEqual({ header: 'new', times: [5] });
  });

  test('takes the header of a stream without packets', async () => {
    const node =
      'node { calculator: "AddHeaderCalculator" input_stream: "DATA:other" input_stream: "HEADER:in" output_stream: "out" }';
    await expect(headerOf(node)).rejects.toThrow(/HEADER has a packet, only a header expected/);
    const filtered = `node { calculator: "GateCalculator" input_stream: "in" output_stream: "head" } ${node.replace('HEADER:in', 'HEADER:head')}`;
    expect(await headerOf(filtered)).toEqual({ header: 'h', times: [] });
  });

  test('needs one of both', async () => {
    await expect(
      headerOf('node { calculator: "AddHeaderCalculator" input_stream: "DATA:in" output_stream: "out" }'),
    ).rejects.toThrow(/HEADER is required, as a stream or as a side packet/);
  });
});
