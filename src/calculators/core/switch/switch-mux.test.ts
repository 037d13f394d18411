import { describe, expect, test } from 'vitest';
import { start, type LiveGraph } from '../test-kit.ts';

const channels = [0, 1, 2];
const graph = (ticks: string) => `
  input_stream: "select" input_stream: "tick"
  ${channels.map((c) => `input_stream: "frame_${c}" input_stream: "mask_${c}"`).join('\n')}
  node {
    calculator: "SwitchMuxCalculator" input_stream: "SELECT:select" ${ticks}
    ${channels.map((c) => `input_stream: "C${c}__FRAME:frame_${c}" input_stream: "C${c}__MASK:mask_${c}"`).join('\n')}
    output_stream: "FRAME:frame" output_stream: "MASK:mask"
  }`;

function startMux(ticks = ''): LiveGraph {
  const live = start(graph(ticks), ['frame']);
  for (const c of channels) live.run.closeInput(`mask_${c}`);
  return live;
}

/** The channel chosen from one time to another. */
async function choose({ add }: LiveGraph, channel: number, from: number, to: number): Promise<void> {
  await add('select', from, channel);
  await add('select', to, channel);
}

describe('SwitchMux keeps order and loses nothing', () => {
  const expected = ['frame@10=p0', 'frame@20=p1', 'frame@30=p2'];

  test('when choices come early', async () => {
    const live = startMux();
    await choose(live, 0, 1, 10);
    await choose(live, 1, 11, 20);
    await choose(live, 0, 21, 30);
    for (const [stream, t, value] of [
      ['frame_0', 10, 'p0'],
      ['frame_1', 20, 'p1'],
      ['frame_0', 30, 'p2'],
    ] as const) {
      await live.add(stream, t, value);
      expect(live.seen).toEqual(expected.slice(0, t / 10));
    }
    await live.finish();
  });

  test('when choices come late', async () => {
    const live = startMux();
    await live.add('frame_0', 10, 'p0');
    await live.add('frame_1', 20, 'p1');
    await live.add('frame_0', 30, 'p2');
    expect(live.seen).toEqual([]);
    await choose(live, 0, 1, 10);
    expect(live.seen).toEqual(expected.slice(0, 1));
    await choose(live, 1, 11, 20);
    expect(live.seen).toEqual(expected.slice(0, 2));
    await choose(live, 0, 21, 30);
    expect(live.seen).toEqual(expected);
    await live.finish();
  });

  test('when a channel does not complete: the next one waits until it has moved on', async () => {
    const live = startMux();
    await choose(live, 0, 1, 10);
    await choose(live, 1, 11, 20);
    await live.add('frame_1', 20, 'p1');
    expect(live.seen).toEqual([]);
    await live.add('frame_0', 15, 'dropped: not chosen then');
    expect(live.seen).toEqual(['frame@20=p1']);
    await live.finish();
  });

  test('when a channel is slow', async () => {
    const live = startMux();
    await choose(live, 0, 1, 10);
    await live.add('frame_0', 10, 'p0_10');
    await choose(live, 1, 11, 20);
    await live.add('frame_0', 20, 'p0_20');
    await live.add('frame_2', 20, 'p2_20');
    await choose(live, 2, 21, 30);
    await live.add('frame_2', 30, 'p2_30');
    await choose(live, 0, 31, 40);
    await live.add('frame_0', 40, 'p0_40');
    await choose(live, 1, 41, 50);
    expect(live.seen).toEqual(['frame@10=p0_10']);
    await live.add('frame_1', 20, 'p1_20');
    await live.add('frame_1', 50, 'p1_50');
    expect(live.seen).toEqual([
      'frame@10=p0_10',
      'frame@20=p1_20',
      'frame@30=p2_30',
      'frame@40=p0_40',
      'frame@50=p1_50',
    ]);
    await live.finish();
  });

  test('with ticks: a channel is left when the result of its last tick has come', async () => {
    const live = startMux('input_stream: "TICK:tick"');
    for (const t of [10, 40]) await live.add('tick', t, 0);
    await live.add('select', 1, 0);
    await live.add('select', 30, 1);
    await live.add('select', 40, 1);
    await live.add('frame_1', 40, 'p1');
    expect(live.seen).toEqual([]);
    await live.add('frame_0', 10, 'p0');
    expect(live.seen).toEqual(['frame@10=p0', 'frame@40=p1']);
    await live.finish();
  });
});

test('refuses tags without a channel, and outputs without an input', () => {
  expect(() =>
    start('input_stream: "a" node { calculator: "SwitchMuxCalculator" input_stream: "A:a" output_stream: "A:b" }', []),
  ).toThrow(/input "A": a tag like C0__TAG expected/);
  expect(() =>
    start(
      'input_stream: "a" node { calculator: "SwitchMuxCalculator" input_stream: "C0__A:a" output_stream: "B:b" }',
      [],
    ),
  ).toThrow(/output "B:0" needs an input like "C0__B:0"/);
  expect(() =>
    start(
      'input_stream: "a" node { calculator: "SwitchDemuxCalculator" input_stream: "A:a" output_stream: "C0__B:b" }',
      [],
    ),
  ).toThrow(/output "C0__B" needs an input "B:0"/);
});
