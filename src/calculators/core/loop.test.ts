import { describe, expect, test } from 'vitest';
import { at, run, start } from './test-kit.ts';

describe('loops', () => {
  test('an empty collection and a mere bound use up a tick', async () => {
    const result = await run('BeginLoopFloat', {
      inputs: {
        ITERABLE: [
          [0, []],
          [10, [1, 2]],
        ],
        CLONE: [[10, 'k']],
      },
      outputs: ['ITEM', 'CLONE', 'BATCH_END'],
    });
    expect(result['ITEM']?.map(([, value]) => value)).toEqual([1, 2]);
    expect(result['CLONE']?.map(([, value]) => value)).toEqual(['k', 'k']);
    expect(result['BATCH_END']?.map(([, value]) => value)).toContain(0n);
    expect(result['BATCH_END']?.at(-1)?.[0]).toBe(result['ITEM']?.at(-1)?.[0]);
  });

  test('EndLoop collects until the end of the batch', async () => {
    const result = await run('EndLoopFloat', {
      inputs: {
        ITEM: at(0, 1, 3),
        BATCH_END: [
          [1, 100n],
          [2, 200n],
          [3, 300n],
        ],
      },
      outputs: ['ITERABLE'],
    });
    expect(result['ITERABLE']).toEqual([
      [100, [0, 1]],
      [300, [3]],
    ]);
  });
});

describe('a loop around a body', () => {
  const graph = `
    input_stream: "values"
    input_stream: "frames"
    node { calculator: "BeginLoopIntCalculator" input_stream: "ITERABLE:values" input_stream: "CLONE:frames"
           output_stream: "ITEM:value" output_stream: "CLONE:frame" output_stream: "BATCH_END:end" }
    node { calculator: "PassThroughCalculator" input_stream: "value" input_stream: "frame"
           output_stream: "result" output_stream: "frame_result" }
    node { calculator: "EndLoopIntCalculator" input_stream: "ITEM:result" input_stream: "BATCH_END:end"
           output_stream: "ITERABLE:results" }
    node { calculator: "EndLoopStringCalculator" input_stream: "ITEM:frame_result" input_stream: "BATCH_END:end"
           output_stream: "ITERABLE:frame_results" }`;

  test('keeps the outer times, with one, several and no items, and passes bounds on', async () => {
    const { add, settle, finish, seen } = start(graph, ['results', 'frame_results'], { bounds: true });
    await add('values', 10, [7]);
    await add('frames', 10, 'a');
    await add('values', 20, [1, 2, 3]);
    await add('frames', 20, 'b');
    await add('values', 30, []);
    await settle('frames', 31);
    await settle('values', 41);
    await settle('frames', 41);
    expect(seen.filter((line) => line.startsWith('results'))).toEqual([
      'results@10=7',
      'results@20=1,2,3',
      'results@30=undefined',
      'results@40=undefined',
    ]);
    expect(seen).toContain('frame_results@20=b,b,b');
    await finish();
  });
});

describe('loops over several inputs', () => {
  const graph = `
    input_stream: "left"
    input_stream: "right"
    node { calculator: "BeginItemLoopCalculator" input_stream: "ITEM:0:left" input_stream: "ITEM:1:right"
           output_stream: "ITEM:hand" output_stream: "BATCH_END:end" }
    node { calculator: "PassThroughCalculator" input_stream: "hand" output_stream: "result" }
    node { calculator: "EndItemLoopCalculator" input_stream: "ITEM:result" input_stream: "BATCH_END:end"
           output_stream: "ITEM:0:left_result" output_stream: "ITEM:1:right_result" }`;

  test('give each result back at the time and place of its item', async () => {
    const { add, settle, finish, seen } = start(graph, ['left_result', 'right_result'], { bounds: true });
    await add('left', 10, 'l');
    await add('right', 10, 'r');
    await settle('left', 21);
    await settle('right', 21);
    expect(seen.toSorted()).toEqual([
      'left_result@10=l',
      'left_result@20=undefined',
      'right_result@10=r',
      'right_result@20=undefined',
    ]);
    await finish();
  });

  test('refuse a time at which only some are there', async () => {
    const { add, finish } = start(graph, []);
    await add('left', 10, 'l');
    await expect(finish()).rejects.toThrow(/1 of 2 ITEM inputs have a packet, all or none expected/);
  });
});
