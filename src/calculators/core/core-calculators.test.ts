import { describe, expect, test } from 'vitest';
import { GraphRun, parseGraphConfig, runCalculator, validateGraph, type CalculatorCase } from '../../graph/index.ts';
import { at, named, registry, run } from './test-kit.ts';

test('PacketCloner repeats the latest value per tick, nothing before the first', async () => {
  const inputs = {
    A: [
      [1, 'a1'],
      [15, 'a15'],
    ],
    B: [[12, 'b']],
    TICK: at(0, 10, 20),
  } as const;
  const outputs = ['A', 'B'];
  expect(await run('PacketCloner', { inputs, outputs })).toEqual({
    A: [
      [10, 'a1'],
      [20, 'a15'],
    ],
    B: [[20, 'b']],
  });
  const options = { output_only_when_all_inputs_received: true };
  expect(await run('PacketCloner', { inputs, outputs, options })).toEqual({ A: [[20, 'a15']], B: [[20, 'b']] });
});

test('ValueOrDefault fills gaps and flags them', async () => {
  const result = await run('ValueOrDefault', {
    inputs: { IN: [[0, 'x']], TICK: at(0, 1) },
    sidePackets: { DEFAULT: 'd' },
    outputs: ['OUT', 'FLAG'],
  });
  expect(result).toEqual({
    OUT: [
      [0, 'x'],
      [1, 'd'],
    ],
    FLAG: [[1, true]],
  });
});

test('Mux passes the selected input', async () => {
  const inputs = {
    'INPUT:0': at(0, 1, 2),
    'INPUT:1': [
      [0, 'b0'],
      [2, 'b2'],
    ],
  } as const;
  const outputs = ['OUTPUT'];
  const select = {
    SELECT: [
      [0, 1],
      [1, 0],
      [2, 1],
    ],
  } as const;
  expect(await run('Mux', { inputs: { ...inputs, ...select }, outputs })).toEqual({
    OUTPUT: [
      [0, 'b0'],
      [1, 1],
      [2, 'b2'],
    ],
  });
  expect(await run('Mux', { inputs, sidePackets: { SELECT: 1 }, outputs })).toEqual({
    OUTPUT: [
      [0, 'b0'],
      [2, 'b2'],
    ],
  });
  await expect(run('Mux', { inputs: { ...inputs, SELECT: [[0, 7]] }, outputs })).rejects.toThrow(/selects input 7/);
});

test('PacketInnerJoin needs a packet everywhere', async () => {
  const result = await run('PacketInnerJoin', { inputs: { '': at(0, 1), ':1': at(1, 2) }, outputs: ['', ':1'] });
  expect(result).toEqual({ '': [[1, 1]], ':1': [[1, 1]] });
});

test('RoundRobinDemux deals packets out', async () => {
  const result = await run('RoundRobinDemux', {
    inputs: { INPUT: at(0, 1, 2) },
    outputs: ['OUTPUT:0', 'OUTPUT:1', 'SELECT'],
  });
  expect(result).toEqual({
    'OUTPUT:0': [
      [0, 0],
      [2, 2],
    ],
    'OUTPUT:1': [[1, 1]],
    SELECT: [
      [0, 0],
      [1, 1],
      [2, 0],
    ],
  });
});

test('StreamToSidePacket keeps the one packet', async () => {
  const { sidePackets } = await runCalculator(named('StreamToSidePacket'), {
    inputs: { '': at(5) },
    outputSidePackets: [''],
  });
  expect(sidePackets).toEqual({ '': 5 });
});

test.each([
  [
    0,
    [
      [0, 0],
      [1, 1],
      [2, 2],
    ],
  ],
  [
    1,
    [
      [1, 0],
      [2, 1],
    ],
  ],
  [-2, [[0, 2]]],
])('SequenceShift by %i', async (offset, expected) => {
  const result = await run('SequenceShift', {
    inputs: { '': at(0, 1, 2) },
    outputs: [''],
    options: { packet_offset: offset },
  });
  expect(result['']).toEqual(expected);
});

test.each([
  [
    [0, 16666, 16667, 20000, 33300, 49999, 50000, 66600],
    [
      [0, 0],
      [33333, 33300],
      [66667, 66600],
    ],
  ],
  [
    [0, 5000, 16666, 83334],
    [
      [0, 0],
      [33333, 16666],
      [66667, 16666],
      [100000, 83334],
    ],
  ],
])('PacketResampler at 30 per second of %j', async (times, expected) => {
  const result = await run('PacketResampler', {
    inputs: { '': at(...times) },
    outputs: [''],
    options: { frame_rate: 30 },
  });
  expect(result['']).toEqual(expected);
});

test('PacketResampler refuses a gap that would take more than 100,000 packets', async () => {
  const result = run('PacketResampler', {
    inputs: { '': at(0, 1_800_000_000_000_000) },
    outputs: [''],
    options: { frame_rate: 30 },
  });
  await expect(result).rejects.toThrow(/from 0 to 1800000000000000 .*53999999999 packets, at most 100000/);
});

test('PacketThinner keeps packets a period apart, or those nearest the centres', async () => {
  const inputs = { '': at(2, 4, 6, 8, 10, 12, 14, 15, 21, 29) };
  const thin = (options: Record<string, string | number | boolean>) =>
    run('PacketThinner', { inputs, outputs: [''], options });
  expect(await thin({ period: 5 })).toEqual({ '': at(2, 8, 14, 21, 29) });
  expect(await thin({ period: 5, start_time: 4, end_time: 12 })).toEqual({ '': at(4, 10) });
  const sync = { thinner_type: 'SYNC', period: 5 };
  expect(await thin(sync)).toEqual({
    '': [
      [0, 2],
      [5, 6],
      [10, 10],
      [15, 15],
      [20, 21],
      [30, 29],
    ],
  });
  expect(await thin({ ...sync, sync_output_timestamps: false })).toEqual({ '': at(2, 6, 10, 15, 21, 29) });
  const sidePackets = { OPTIONS: { period: 5 } };
  const replaced = await run('PacketThinner', { inputs, outputs: [''], options: { period: 20 }, sidePackets });
  expect(replaced).toEqual({ '': at(2, 8, 14, 21, 29) });
});

test('ImmediateMux drops what is superseded and counts all', async () => {
  const definition = named('ImmediateMux');
  const graph = validateGraph(
    parseGraphConfig(`input_stream: "a" input_stream: "b"
      node { calculator: "${definition.name}" input_stream: "a" input_stream: "b" output_stream: "o" output_stream: "f" }`),
    registry,
  );
  const live = new GraphRun(graph);
  const seen: string[] = [];
  for (const stream of ['o', 'f']) live.observe(stream, ({ timestamp }) => seen.push(`${stream}@${timestamp}`));
  live.start();
  for (const [stream, t] of [
    ['a', 5n],
    ['b', 3n],
    ['b', 6n],
  ] as const) {
    live.addPacket(stream, { value: 0, timestamp: t });
    await live.waitUntilIdle();
  }
  live.closeAllInputs();
  await live.waitUntilDone();
  expect(seen).toEqual(['o@5', 'f@5', 'f@6', 'o@6', 'f@7']);
});

describe('nodes that are refused', () => {
  test.each([
    [
      'two thresholds',
      'Thresholding',
      { inputs: { FLOAT: [], THRESHOLD: [] }, options: { threshold: 1 }, outputs: ['FLAG'] },
    ],
  ] as const satisfies readonly (readonly [string, string, CalculatorCase])[])('%s', async (_, name, node) => {
    await expect(runCalculator(named(name), node)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
