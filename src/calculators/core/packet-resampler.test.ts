import { expect, test } from 'vitest';
import {
  anyPacket,
  defineCalculator,
  GraphRun,
  parseGraphConfig,
  Timestamp,
  validateGraph,
} from '../../graph/index.ts';
import { at, registry, run, start } from './test-kit.ts';

const resample = async (options: Record<string, number | boolean>, sidePackets: Record<string, unknown> = {}) => {
  const times = Array.from({ length: 101 }, (_, n) => n * 10_000);
  const { '': packets } = await run('PacketResampler', {
    inputs: { '': at(...times) },
    outputs: [''],
    options,
    sidePackets,
  });
  return packets ?? [];
};

test('the rate is at most max_frame_rate', async () => {
  expect(await resample({ frame_rate: 30, max_frame_rate: 10 })).toHaveLength(11);
  expect(await resample({ frame_rate: 10, max_frame_rate: 30 })).toHaveLength(11);
});

test('jitter draws output times around the periods, the same for the same seed', async () => {
  const drawn = await resample({ frame_rate: 10, jitter: 0.5 }, { SEED: 'a' });
  expect(drawn).toEqual(await resample({ frame_rate: 10, jitter: 0.5 }, { SEED: 'a' }));
  expect(drawn).not.toEqual(await resample({ frame_rate: 10, jitter: 0.5 }, { SEED: 'b' }));
  const distances = drawn.slice(1).map(([t], n) => t - (drawn[n]?.[0] ?? 0));
  expect(distances.every((distance) => distance >= 50_000 && distance <= 150_000)).toBe(true);
  expect(new Set(distances).size).toBeGreaterThan(3);
  // Each is the packet nearest its time; values are the packets' own times.
  expect(drawn.every(([t, value]) => Math.abs(t - (value as number)) <= 5_000)).toBe(true);
});

test.each([
  [{ jitter: 0.5 }, {}],
  [{}, { SEED: 'a' }],
])('jitter %j and side packets %j do not go together', async (options, sides) => {
  await expect(resample({ frame_rate: 10, ...options }, sides)).rejects.toThrow(/jitter needs a side packet SEED/);
});

test('reflection keeps one output in each period, drawn by chance', async () => {
  const drawn = await resample({ frame_rate: 10, jitter: 0.9, jitter_with_reflection: true }, { SEED: 'a' });
  // Inputs 0 … 1000000: ten periods, and the packet that begins the eleventh, which the end leaves to chance.
  expect(drawn.slice(0, 10).map(([t]) => Math.floor(t / 100_000))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(drawn.slice(10).map(([t]) => t)).toEqual(drawn.length > 10 ? [1_000_000] : []);
  expect(new Set(drawn.slice(0, 10).map(([t]) => t % 100_000)).size).toBeGreaterThan(5);
});

test.each([1e6, 5e5, 4e5, 3e5])(
  'times increase with periods of a few microseconds: %f packets per second',
  async (rate) => {
    for (const seed of 'abcdefghij') {
      const { '': packets = [] } = await run('PacketResampler', {
        inputs: { '': at(...Array.from({ length: 200 }, (_, t) => t)) },
        outputs: [''],
        options: { frame_rate: rate, jitter: 1, jitter_with_reflection: true },
        sidePackets: { SEED: seed },
      });
      const period = Math.trunc(1e6 / rate);
      expect(packets.map(([t]) => Math.floor(t / period))).toEqual(packets.map((_, n) => n));
    }
  },
);

test('a period that the end cuts short has one of its packets, at its own time', async () => {
  const one = await run('PacketResampler', {
    inputs: { '': at(5, 6, 7) },
    outputs: [''],
    options: { frame_rate: 0.001, jitter: 0.5, jitter_with_reflection: true },
    sidePackets: { SEED: 'a' },
  });
  expect(one['']).toHaveLength(1);
  expect(one['']?.[0]?.[0]).toBe(one['']?.[0]?.[1]);
});

test.each([
  ['as the input has it', 200, {}, [0, 5000, 10010, 15001, 19990], [0, 5000, 10000, 15000, 20000]],
  ['fewer', 100, {}, [0, 10010, 15001], [0, 10000, 20000]],
  ['at most max_frame_rate', 100, { max_frame_rate: 50 }, [0, 20010], [0, 20000]],
  ['as the option has it', 200, { use_input_frame_rate: false, frame_rate: 50 }, [0, 19990], [0, 20000]],
])('packets per second: %s', async (name, frameRate, options, frames, times) => {
  const last = name.startsWith('at most') ? [20010] : name === 'fewer' ? [] : [19990];
  const { OUT: packets } = await run('PacketResampler', {
    inputs: { IN: at(0, 5000, 10010, 15001, ...last), VIDEO_HEADER: [[Timestamp.PreStream, { frameRate }]] },
    outputs: ['OUT'],
    options: { use_input_frame_rate: true, frame_rate: 1000, ...options },
  });
  expect(packets).toEqual(times.map((t, n) => [t, frames[n]]));
});

test('a video header has a frame rate', async () => {
  const resampled = run('PacketResampler', {
    inputs: { IN: at(0), VIDEO_HEADER: [[Timestamp.PreStream, { frameRate: 0 }]] },
    outputs: ['OUT'],
    options: { use_input_frame_rate: true, frame_rate: 1 },
  });
  await expect(resampled).rejects.toThrow(/"VideoHeader" was requested/);
});

test('the video header goes out with the new rate, before the frames', async () => {
  const resampled = await run('PacketResampler', {
    inputs: { IN: at(0, 5000), VIDEO_HEADER: [[Timestamp.PreStream, { frameRate: 200, width: 64 }]] },
    outputs: ['OUT', 'VIDEO_HEADER'],
    options: { frame_rate: 100 },
  });
  expect(resampled['VIDEO_HEADER']).toEqual([[Number(Timestamp.PreStream), { frameRate: 100, width: 64 }]]);
  const without = await run('PacketResampler', {
    inputs: { '': at(0) },
    outputs: ['', 'VIDEO_HEADER'],
    options: { frame_rate: 50 },
  });
  expect(without['VIDEO_HEADER']).toEqual([[Number(Timestamp.PreStream), { frameRate: 50 }]]);
});

test('an output video header does not go with max_frame_rate', async () => {
  const resampled = run('PacketResampler', {
    inputs: { '': at(0) },
    outputs: ['', 'VIDEO_HEADER'],
    options: { frame_rate: 100, max_frame_rate: 50 },
  });
  await expect(resampled).rejects.toThrow(/does not go with max_frame_rate/);
});

test.each([
  ['NONE', { frameRate: 200 }, undefined],
  ['PASS_HEADER', { frameRate: 200 }, { frameRate: 200 }],
  ['UPDATE_VIDEO_HEADER', { frameRate: 200, width: 64 }, { frameRate: 25, width: 64 }],
  ['UPDATE_VIDEO_HEADER', undefined, undefined],
])('output_header %s of the header %j', async (outputHeader, header, expected) => {
  const headers: unknown[] = [];
  const reader = defineCalculator({
    name: 'HeaderReader',
    inputs: { '': anyPacket },
    open: ({ inputs }) => void headers.push(inputs[''].header),
  });
  const text = `input_stream: "a"
    node { calculator: "PacketResamplerCalculator" input_stream: "a" output_stream: "b"
           options { [mediapipe.PacketResamplerCalculatorOptions.ext] { frame_rate: 25 output_header: ${outputHeader} } } }
    node { calculator: "HeaderReader" input_stream: "b" }`;
  const graph = new GraphRun(validateGraph(parseGraphConfig(text), registry.withCalculators(reader)));
  graph.start(new Map(), new Map(header === undefined ? [] : [['a', header]]));
  graph.closeAllInputs();
  await graph.waitUntilDone();
  expect(headers).toEqual([expected]);
});

test('round_limits lets half a period more through at both ends', async () => {
  const limits = { frame_rate: 10, start_time: 140_000, end_time: 380_000 };
  expect((await resample(limits)).map(([t]) => t)).toEqual([200_000, 300_000]);
  expect((await resample({ ...limits, round_limits: true })).map(([t]) => t)).toEqual([
    100_000, 200_000, 300_000, 400_000,
  ]);
});

test('OPTIONS replaces options, and may bring the frame rate', async () => {
  expect(await resample({ frame_rate: 10 }, { OPTIONS: { frame_rate: 5 } })).toHaveLength(6);
  expect(await resample({}, { OPTIONS: { frame_rate: 5 } })).toHaveLength(6);
  await expect(resample({})).rejects.toThrow(/frame_rate is required/);
  await expect(resample({}, { OPTIONS: {} })).rejects.toThrow(/OPTIONS has no frame_rate/);
});

test('what follows need not wait for the next output: its time is told as a bound', async () => {
  const live = start(
    `input_stream: "a" node { calculator: "PacketResamplerCalculator" input_stream: "a" output_stream: "b"
       options { [mediapipe.PacketResamplerCalculatorOptions.ext] { frame_rate: 10 } } }`,
    ['b'],
    { bounds: true },
  );
  await live.add('a', 0, 0);
  await live.add('a', 110_000, 1);
  expect(live.seen).toEqual(['b@0=0', 'b@99999=undefined', 'b@100000=1', 'b@199999=undefined']);
  await live.finish();
});
