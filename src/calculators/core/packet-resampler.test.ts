import { expect, test } from 'vitest';
import { at, run } from './test-kit.ts';

const resample = async (options: Record<string, number>, sidePackets: Record<string, unknown> = {}) => {
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
