import { expect, test } from 'vitest';
import { Timestamp, type Packet } from '../../graph/index.ts';
import { ReproducibleSampler } from './reproducible-sampler.ts';
import { at, run } from './test-kit.ts';

/** Outputs as `[own time, time sent at]`, with the numbers drawn in this order; each is taken modulo what is asked for. */
function sample(times: readonly number[], drawn: readonly number[], period = 1000, jitter = 0.5): [number, number][] {
  const left = [...drawn];
  const sampler = new ReproducibleSampler(period, jitter, (below) => {
    const next = left.shift();
    if (next === undefined) throw new Error('too many draws');
    return next % below;
  });
  const sent: [number, number][] = [];
  const send = ({ timestamp }: Packet, t: bigint) => void sent.push([Number(timestamp), Number(t)]);
  for (const t of times) sampler.take({ timestamp: BigInt(t), value: t }, send);
  sampler.flush(send);
  expect(left).toEqual([]);
  return sent;
}

test('one output in each period, nearest a time that is drawn from the one before', () => {
  // 700; 700 + 1000 + 900 - 500 = 2100, mirrored to 1899; 1899 + 1000 + 0 - 500 = 2399
  const times = [0, 400, 800, 1200, 1600, 2000, 2400, 2800];
  expect(sample(times, [700, 900, 0])).toEqual([[800, 700], [2000, 1899], [2400, 2399]]); // prettier-ignore
});

test('a stream that begins later is sampled at the same times', () => {
  expect(sample([1600, 2000, 2400, 2800], [700, 900, 0])).toEqual([[2000, 1899], [2400, 2399]]); // prettier-ignore
  // The time of the first period has passed: it is the first packet's.
  expect(sample([2600, 2900], [700, 900, 0])).toEqual([[2600, 2399]]);
});

test('of a gap each period has its output, and the last period, which the end cuts short, the last packet', () => {
  expect(sample([0, 3100, 3200], [500, 500, 500, 500])).toEqual([[0, 500], [0, 1500], [3100, 2500], [3200, 3500]]); // prettier-ignore
});

test('a time below its period is mirrored, too', () => {
  // 100; 100 + 1000 + 0 - 500 = 600, below 1000: 1399
  expect(sample([0, 90, 110, 1300, 1400], [100, 0])).toEqual([[90, 100], [1400, 1399]]); // prettier-ignore
});

test('the sampler says how far it is, and from when on nothing comes', () => {
  const sampler = new ReproducibleSampler(1000, 0.5, (below) => 500 % below);
  expect(sampler.bound).toBe(Timestamp.Min);
  sampler.take({ timestamp: 100n, value: 0 }, () => {});
  expect([sampler.bound, sampler.periodsUntil(2500n)]).toEqual([500n, 2]);
});

test('in a graph: later beginnings change nothing but the period that they cut; other seeds do', async () => {
  const resample = async (from: number, seed = 'a') => {
    const times = Array.from({ length: 1000 }, (_, n) => n * 10_000).filter((t) => t >= from);
    const { '': packets = [] } = await run('PacketResampler', {
      inputs: { '': at(...times) },
      outputs: [''],
      options: { frame_rate: 10, jitter: 0.4, reproducible_sampling: true },
      sidePackets: { SEED: seed },
    });
    return packets;
  };
  const whole = await resample(0);
  expect(whole.map(([t]) => Math.floor(t / 100_000))).toEqual(whole.map((_, n) => n));
  expect((await resample(4_050_000)).slice(1)).toEqual(whole.slice(41));
  expect(await resample(0, 'b')).not.toEqual(whole);
});

test('timestamps that are the wall clock are too far from 0', async () => {
  const late = run('PacketResampler', {
    inputs: { '': at(1_700_000_000_000_000) },
    outputs: [''],
    options: { frame_rate: 30, jitter: 0.4, reproducible_sampling: true },
    sidePackets: { SEED: 'a' },
  });
  await expect(late).rejects.toThrow(/the first packet is \d+ periods later, at most 10000000 expected/);
});
