import { describe, expect, test } from 'vitest';
import { DROP_SERVICE } from './drop-service.ts';
import { start } from './test-kit.ts';

describe('RealTimeFlowLimiter', () => {
  const graph = `
    input_stream: "a" input_stream: "b" input_stream: "done"
    node { calculator: "RealTimeFlowLimiterCalculator" input_stream: "a" input_stream: "b" input_stream: "FINISHED:done"
           input_stream_info { tag_index: "FINISHED" back_edge: true }
           output_stream: "a2" output_stream: "b2" output_stream: "ALLOW:allow" }`;

  test('one in flight: what comes before FINISHED is dropped, on both streams alike', async () => {
    const { add, finish, seen } = start(graph, ['a2', 'b2', 'allow']);
    await add('a', 10, 'x');
    await add('b', 10, 'y');
    await add('a', 20, 'x'); // dropped: one is in flight
    await add('done', 10, 0);
    await add('b', 20, 'y'); // its partner was dropped
    await add('b', 30, 'y');
    await add('a', 30, 'x');
    expect(seen).toEqual([
      'a2@10=x',
      'allow@1=false',
      'b2@10=y',
      'allow@2=true',
      'b2@30=y',
      'allow@3=false',
      'a2@30=x',
    ]);
    await finish();
  });

  test('outputs and the back edge close with the inputs', async () => {
    const { add, finish, seen } = start(
      `input_stream: "in"
       node { calculator: "RealTimeFlowLimiterCalculator" input_stream: "in" input_stream: "FINISHED:out"
              input_stream_info { tag_index: "FINISHED" back_edge: true } output_stream: "some" }
       node { calculator: "PassThroughCalculator" input_stream: "some" output_stream: "out" }`,
      ['out'],
    );
    for (const t of [1, 2, 3]) await add('in', t, t);
    await finish();
    expect(seen).toEqual(['out@1=1', 'out@2=2', 'out@3=3']);
  });

  test('two in flight by side packet; a FINISHED without a packet in flight is an error', async () => {
    const { add, finish, seen } = start(
      `input_stream: "a" input_stream: "done"
       node { calculator: "RealTimeFlowLimiterCalculator" input_stream: "a" input_stream: "FINISHED:done"
              input_side_packet: "MAX_IN_FLIGHT:most" output_stream: "a2" }`,
      ['a2'],
      { sidePackets: { most: 2 } },
    );
    for (const t of [1, 2, 3]) await add('a', t, t);
    expect(seen).toEqual(['a2@1=1', 'a2@2=2']);
    for (const t of [1, 2]) await add('done', t, t);
    await expect(add('done', 3, 3).then(finish)).rejects.toThrow(/none was in flight/);
  });
});

describe('FlowLimiter', () => {
  test.each([
    [{}, 1],
    [{ max_in_flight: 2 }, 2],
    [{ max_in_flight: 2, max_in_queue: 1 }, 2],
  ])('side packet OPTIONS %j replaces options', async (options, inFlight) => {
    const { add, finish, seen } = start(
      `input_stream: "a" input_stream: "done"
       node { calculator: "FlowLimiterCalculator" input_stream: "a" input_stream: "FINISHED:done"
              input_side_packet: "OPTIONS:options" output_stream: "a2" }`,
      ['a2'],
      { sidePackets: { options } },
    );
    for (const t of [1, 2, 3, 4]) await add('a', t, t);
    expect(seen).toHaveLength(inFlight);
    await finish();
  });

  test('a stream OPTIONS replaces options from when its packet comes', async () => {
    const { add, finish, seen } = start(
      `input_stream: "a" input_stream: "done" input_stream: "options"
       node { calculator: "FlowLimiterCalculator" input_stream: "a" input_stream: "FINISHED:done"
              input_stream: "OPTIONS:options" output_stream: "a2"
              options { [mediapipe.FlowLimiterCalculatorOptions.ext] { max_in_queue: 5 } } }`,
      ['a2'],
    );
    for (const t of [1, 2, 3, 4]) await add('a', t, t);
    expect(seen).toEqual(['a2@1=1']);
    await add('options', 4, { max_in_flight: 3 });
    expect(seen).toEqual(['a2@1=1', 'a2@2=2', 'a2@3=3']);
    await finish();
  });

  test('a further stream passes before anything was decided, where the first one is settled', async () => {
    const { add, settle, finish, seen } = start(
      `input_stream: "a" input_stream: "b" input_stream: "done"
       node { calculator: "FlowLimiterCalculator" input_stream: "a" input_stream: "b" input_stream: "FINISHED:done"
              output_stream: "a2" output_stream: "b2" }`,
      ['a2', 'b2'],
    );
    await add('b', 5, 5);
    await settle('a', 10);
    expect(seen).toEqual(['b2@5=5']);
    await add('a', 10, 10);
    await add('a', 20, 20); // dropped
    for (const t of [12, 20, 21]) await add('b', t, t);
    await settle('a', 30);
    expect(seen).toEqual(['b2@5=5', 'a2@10=10', 'b2@12=12']);
    await finish();
  });

  test('OPTIONS that are wrong fail its Open', async () => {
    const { add } = start(
      `input_stream: "a" input_stream: "done"
       node { calculator: "FlowLimiterCalculator" input_stream: "a" input_stream: "FINISHED:done"
              input_side_packet: "OPTIONS:options" output_stream: "a2" }`,
      ['a2'],
      { sidePackets: { options: { max_in_fligt: 2 } } },
    );
    await expect(add('a', 1, 1)).rejects.toThrow(/OPTIONS has no field "max_in_fligt"; did you mean "max_in_flight"/);
  });

  test('one in flight, one waiting: the newest frame waits; a frame dropped with a bound makes room', async () => {
    const { add, settle, finish, seen } = start(
      `input_stream: "a" input_stream: "done"
       node { calculator: "FlowLimiterCalculator" input_stream: "a" input_stream: "FINISHED:done"
              output_stream: "a2" output_stream: "ALLOW:allow"
              options { [mediapipe.FlowLimiterCalculatorOptions.ext] { max_in_flight: 1 max_in_queue: 1 } } }`,
      ['a2', 'allow'],
    );
    for (const t of [0, 1, 2]) await add('a', t, t);
    await add('done', 0, 0);
    for (const t of [3, 4]) await add('a', t, t);
    await add('done', 2, 2);
    for (const t of [5, 6]) await add('a', t, t);
    await settle('done', 5); // 4 is dropped on its way
    for (const t of [7, 8]) await add('a', t, t);
    await add('done', 6, 6);
    expect(seen.filter((line) => line.startsWith('a2'))).toEqual(['a2@0=0', 'a2@2=2', 'a2@4=4', 'a2@6=6', 'a2@8=8']);
    expect(seen.filter((line) => line.startsWith('allow')).map((line) => line.slice(6))).toEqual([
      '0=true',
      '1=false',
      '2=true',
      '3=false',
      '4=true',
      '5=false',
      '6=true',
      '7=false',
      '8=true',
    ]);
    await finish();
  });

  test('a further stream passes at the allowed times, early or late', async () => {
    const { add, finish, seen } = start(
      `input_stream: "a" input_stream: "b" input_stream: "done"
       node { calculator: "FlowLimiterCalculator" input_stream: "a" input_stream: "b" input_stream: "FINISHED:done"
              output_stream: "a2" output_stream: "b2" }`,
      ['a2', 'b2'],
    );
    for (const t of [0, 1, 2]) await add('b', t, t); // early
    await add('a', 0, 0);
    await add('a', 1, 1); // dropped
    await add('done', 0, 0);
    await add('a', 2, 2);
    await add('a', 3, 3); // dropped
    await add('done', 2, 2);
    await add('a', 4, 4);
    for (const t of [3, 4]) await add('b', t, t); // late
    expect(seen.filter((line) => line.startsWith('b2'))).toEqual(['b2@0=0', 'b2@2=2', 'b2@4=4']);
    await finish();
  });
});

describe('drops are told to whoever counts them', () => {
  const node = (name: string) => `
    input_stream: "a" input_stream: "b" input_stream: "done"
    node { calculator: "${name}" input_stream: "a" input_stream: "b" input_stream: "FINISHED:done"
           input_stream_info { tag_index: "FINISHED" back_edge: true } output_stream: "a2" output_stream: "b2" }`;

  test.each(['FlowLimiterCalculator', 'RealTimeFlowLimiterCalculator'])('by %s', async (name) => {
    let dropped = 0;
    const services = new Map([[DROP_SERVICE, (packets: number) => (dropped += packets)]]);
    const { add, finish, seen } = start(node(name), ['a2', 'b2'], { services });
    for (const t of [10, 20, 30]) for (const stream of ['a', 'b']) await add(stream, t, stream);
    expect(seen).toEqual(['a2@10=a', 'b2@10=b']);
    await finish();
    expect(dropped).toBe(4);
  });
});
