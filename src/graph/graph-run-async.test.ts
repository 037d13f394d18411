import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { defineCalculator } from './calculator.ts';
import { anyPacket } from './packet-type.ts';
import { number, slow, oneNode, startGraph } from './test-kit.ts';

describe('asynchronous calls', () => {
  test('of one node never overlap and keep their order', async () => {
    const { definition, waiting } = slow();
    const { seen, add, finish } = startGraph(
      'input_stream: "a" node { calculator: "Slow" input_stream: "a" output_stream: "b" }',
      [definition],
      { observe: ['b'] },
    );
    for (const t of [0, 1]) add('a', t);
    await turn();
    expect(waiting).toHaveLength(1);
    waiting[0]?.();
    await turn();
    expect([seen, waiting.length]).toEqual([['b@0=0'], 2]);
    waiting[1]?.();
    await finish();
    expect(seen).toEqual(['b@0=0', 'b@1=1']);
  });

  test('do not hold up other nodes', async () => {
    const { definition, waiting } = slow();
    const { seen, add, finish } = startGraph(
      `${oneNode} node { calculator: "Slow" input_stream: "a" output_stream: "c" }`,
      [definition],
      { observe: ['b', 'c'] },
    );
    add('a', 0);
    await turn();
    expect(seen).toEqual(['b@0=0']);
    waiting[0]?.();
    await finish();
    expect(seen).toEqual(['b@0=0', 'c@0=0']);
  });
});

test('what nodes cost is reported', async () => {
  const nodes: string[] = [];
  const { add, finish } = startGraph(oneNode, [], {
    onNodeRun: (node, microseconds) => microseconds >= 0 && nodes.push(node),
  });
  add('a', 0);
  await finish();
  expect(nodes).toEqual(['Copy', 'Copy', 'Copy']);
});

test('a loop over a back edge computes running sums', async () => {
  const delay = defineCalculator({
    name: 'Delay',
    inputs: { '': anyPacket },
    outputs: { '': anyPacket },
    open({ outputs }) {
      outputs[''].send(0, 0n);
      return {
        process({ inputs, outputs, timestamp }) {
          outputs[''].send(inputs[''].packet?.value, timestamp + 1n);
        },
      };
    },
  });
  const sum = defineCalculator({
    name: 'Sum',
    inputs: { A: number, B: number },
    outputs: { '': number },
    inputPolicy: 'EarlyCloseInputStreamHandler',
    open: () => ({
      process({ inputs, outputs }) {
        outputs[''].send((inputs.A.packet?.value ?? 0) + (inputs.B.packet?.value ?? 0));
      },
    }),
  });
  const { seen, add, finish } = startGraph(
    'input_stream: "a" node { calculator: "Sum" input_stream: "A:a" input_stream: "B:old" input_stream_info { tag_index: "B" back_edge: true } output_stream: "sum" } node { calculator: "Delay" input_stream: "sum" output_stream: "old" }',
    [delay, sum],
    { observe: ['sum'] },
  );
  for (let t = 0; t < 4; t++) add('a', t, t + 1);
  await finish();
  expect(seen).toEqual(['sum@0=1', 'sum@1=3', 'sum@2=6', 'sum@3=10']);
});
