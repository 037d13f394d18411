import { describe, expect, test } from 'vitest';
import { Timestamp } from '../../graph/index.ts';
import { start } from './test-kit.ts';

/** `body` makes "loop" of "in"; "pair" carries the two side by side. */
const graph = (body: string) => `
  input_stream: "in"
  node { calculator: "PreviousLoopbackCalculator" input_stream: "MAIN:in" input_stream: "LOOP:loop"
         input_stream_info { tag_index: "LOOP" back_edge: true } output_stream: "PREV_LOOP:previous" }
  ${body}
  node { calculator: "MakePairCalculator" input_stream: "in" input_stream: "previous" output_stream: "pair" }
  node { calculator: "CallbackCalculator" input_stream: "pair" input_side_packet: "CALLBACK:take" }`;
const PASS = 'node { calculator: "PassThroughCalculator" input_stream: "in" output_stream: "loop" }';
const NEVER = 'node { calculator: "GateCalculator" input_stream: "in" output_stream: "loop" }';

type Pair = readonly ({ readonly value: unknown } | undefined)[];

async function pairs(body: string, times: readonly bigint[]): Promise<unknown[]> {
  const seen: unknown[] = [];
  const take = ({ value }: { readonly value: unknown }) => seen.push((value as Pair).map((packet) => packet?.value));
  const { run, finish } = start(graph(body), [], { sidePackets: { take } });
  for (const timestamp of times) {
    run.addPacket('in', { value: timestamp, timestamp });
    await run.waitUntilIdle();
  }
  await finish();
  return seen;
}

describe('PreviousLoopback', () => {
  test('pairs each packet with the result of the one before', async () => {
    expect(await pairs(PASS, [1n, 2n, 5n, 15n])).toEqual([
      [1n, undefined],
      [2n, 1n],
      [5n, 2n],
      [15n, 5n],
    ]);
  });

  test('goes on to the last timestamp there is, and ends with MAIN', async () => {
    expect(await pairs(PASS, [1n, Timestamp.Max])).toEqual([
      [1n, undefined],
      [Timestamp.Max, 1n],
    ]);
  });

  test('a loop that is always empty gives bounds alone', async () => {
    expect(await pairs(NEVER, [1n, 2n, 5n])).toEqual([
      [1n, undefined],
      [2n, undefined],
      [5n, undefined],
    ]);
  });

  test('times without a packet on either side match nothing', async () => {
    const text = `input_stream: "main" input_stream: "loop"
      node { calculator: "PreviousLoopbackCalculator" input_stream: "MAIN:main" input_stream: "LOOP:loop"
             input_stream_info { tag_index: "LOOP" back_edge: true } output_stream: "PREV_LOOP:previous" }`;
    const { add, settle, finish, seen } = start(text, ['previous'], { bounds: true });
    await add('main', 1, 'm1');
    await settle('loop', 2); // no result for 1
    await settle('main', 4);
    await add('loop', 3, 'stray');
    await add('main', 5, 'm5');
    await add('loop', 5, 'l5');
    await add('main', 7, 'm7');
    expect(seen.filter((line) => !line.endsWith('undefined'))).toEqual(['previous@7=l5']);
    await finish();
  });
});
