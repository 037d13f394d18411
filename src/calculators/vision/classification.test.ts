/**
 * Classes and their names. Expected values: what MediaPipe 0.10.14 gives for a pixel (51, 204, 102) that ImageToTensorCalculator
 * makes the scores 0.2, 0.8, 0.4; where it ends its process or fails in Process, ours fails with a reason.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ScratchFolder } from '../../../test/support/scratch-folder.ts';
import { CalculatorRegistry, readGraphFile, validateGraph, type CalculatorDefinition } from '../../graph/index.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import { builtinCalculators } from '../index.ts';
import type { Classification, Detection } from '../message-types.ts';
import { detectionLabelIdToText } from './detection-labels.ts';
import { openvinoTensorsToClassification, tensorsToClassification } from './tensors-to-classification.ts';
import { outputOf } from './test-kit.ts';

let folder: ScratchFolder;
beforeAll(async () => {
  folder = await ScratchFolder.create();
  await folder.put('three.txt', 'red\ngreen\r\nblue\n');
  await folder.put('two.txt', 'red\ngreen');
});
afterAll(() => folder[Symbol.asyncDispose]());

const SCORES = [0.2, 0.8, 0.4];

async function classify(
  options: object,
  scores: readonly number[] = SCORES,
  { shape = [1, scores.length], by = tensorsToClassification }: { shape?: number[]; by?: CalculatorDefinition } = {},
): Promise<unknown[][]> {
  const tensors = [tensorOf('scores', 'FP32', shape, Float32Array.from(scores))];
  const inputs = { TENSORS: [[0, tensors]] } as const;
  const [found] = await outputOf(by, 'CLASSIFICATIONS', { inputs, options: options as never });
  return (found as Classification[]).map(({ index, score, label, displayName }) =>
    [index, Math.round(score * 1e6) / 1e6, label, displayName].filter((each) => each !== undefined),
  );
}

describe.each([
  ['TensorsToClassificationCalculator', tensorsToClassification],
  ['OpenVINOTensorsToClassificationCalculator', openvinoTensorsToClassification],
])('%s', (_, by) => {
  it.each([
    [
      {},
      [
        [0, 0.2],
        [1, 0.8],
        [2, 0.4],
      ],
    ],
    [
      { min_score_threshold: 0.3 },
      [
        [1, 0.8],
        [2, 0.4],
      ],
    ],
    [
      { top_k: 2 },
      [
        [1, 0.8],
        [2, 0.4],
      ],
    ],
    [
      { top_k: 5 },
      [
        [1, 0.8],
        [2, 0.4],
        [0, 0.2],
      ],
    ],
    [
      { top_k: -1 },
      [
        [0, 0.2],
        [1, 0.8],
        [2, 0.4],
      ],
    ],
  ])('%j', async (options, expected) => {
    // prettier-ignore
    expect(await classify(options, SCORES, { by })).toEqual(expected);
  });

  it('of two classes has the score of the first', async () => {
    expect(await classify({ binary_classification: true }, [0.75], { by })).toEqual([[0, 0.75], [1, 0.25]]); // prettier-ignore
    await expect(classify({ binary_classification: true }, SCORES, { by })).rejects.toThrow(
      /3 numbers given, 1 expected/,
    );
  });

  it('takes names from a file, one a line', async () => {
    const label_map_path = join(folder.path, 'three.txt');
    expect(await classify({ label_map_path }, SCORES, { by })).toEqual([[0, 0.2, 'red'], [1, 0.8, 'green'], [2, 0.4, 'blue']]); // prettier-ignore
    const two = join(folder.path, 'two.txt');
    await expect(classify({ label_map_path: two }, SCORES, { by })).rejects.toThrow(/3 classes given, 2 expected/);
    const none = join(folder.path, 'none.txt');
    await expect(classify({ label_map_path: none }, SCORES, { by })).rejects.toThrow(
      /label_map_path: ENOENT.*none\.txt/,
    );
  });

  it('wants one tensor of FP32', async () => {
    const run = (tensors: readonly unknown[]) =>
      outputOf(by, 'CLASSIFICATIONS', { inputs: { TENSORS: [[0, tensors]] } });
    const one = tensorOf('a', 'FP32', [1, 1], Float32Array.of(1));
    await expect(run([one, one])).rejects.toThrow(/2 tensors given, one expected/);
    await expect(run([])).rejects.toThrow(/no tensor given/);
    await expect(run([tensorOf('a', 'INT8', [1, 1], Int8Array.of(1))])).rejects.toThrow(/INT8 given, FP32 expected/);
  });
});

describe('TensorsToClassificationCalculator', () => {
  const items = [
    { key: 0, value: { name: 'a' } },
    { key: 1, value: { name: 'b', display_name: 'B' } },
    { key: 2, value: {} },
  ];
  const entries = (...ids: number[]) => ({ entries: ids.map((id) => ({ id, label: `of ${id}` })) });

  it.each([
    [
      { sort_by_descending_score: true },
      [
        [1, 0.8],
        [2, 0.4],
        [0, 0.2],
      ],
    ],
    [
      { allow_classes: [1, 2] },
      [
        [1, 0.8],
        [2, 0.4],
      ],
    ],
    [
      { ignore_classes: 1 },
      [
        [0, 0.2],
        [2, 0.4],
      ],
    ],
    [{ allow_classes: 7 }, []],
    [
      { label_items: items },
      [
        [0, 0.2, 'a'],
        [1, 0.8, 'b', 'B'],
        [2, 0.4, ''],
      ],
    ],
    [{ label_map: entries(0, 1, 2), top_k: 1 }, [[1, 0.8, 'of 1']]],
  ])('%j', async (options, expected) => {
    // prettier-ignore
    expect(await classify(options)).toEqual(expected);
  });

  it('takes a tensor of any shape, OVMS’s one of two dimensions', async () => {
    expect(await classify({}, SCORES, { shape: [1, 1, 1, 3] })).toHaveLength(3);
    const by = openvinoTensorsToClassification;
    await expect(classify({}, SCORES, { shape: [1, 1, 3], by })).rejects.toThrow(/\[1,1,3\] given, \[1,classes\]/);
  });

  it.each([
    [{ allow_classes: 1, ignore_classes: 2 }, /exclude each other/],
    [{ allow_classes: 1, binary_classification: true }, /neither allow_classes nor ignore_classes/],
    [{ label_map: entries(0, 0) }, /two entries of id 0/],
    [{ label_items: items.slice(1) }, /3 classes given, 2 expected/],
    [{ label_map: entries(0, 1, 5) }, /class 2 has no name/],
  ])('refuses %j', async (options, problem) => {
    await expect(classify(options)).rejects.toThrow(problem);
  });

  it('of OVMS has none of the options that MediaPipe’s got later', async () => {
    const by = openvinoTensorsToClassification;
    await expect(classify({ allow_classes: 1 }, SCORES, { by })).rejects.toThrow(/has no field "allow_classes"/);
  });
});

describe('a file of names', () => {
  const graph = (path: string) => `
    input_stream: "in" output_stream: "out"
    node {
      calculator: "DetectionLabelIdToTextCalculator" input_stream: "in" output_stream: "out"
      node_options { [type.googleapis.com/mediapipe.DetectionLabelIdToTextCalculatorOptions] { label_map_path: "${path}" } }
    }`;
  const read = async (name: string) => {
    const file = await readGraphFile(join(folder.path, name), new CalculatorRegistry(builtinCalculators));
    return validateGraph(file.config, file.registry);
  };

  it('is looked for from the folder of the graph file, when the graph is loaded', async () => {
    await writeFile(join(folder.path, 'good.pbtxt'), graph('three.txt'));
    expect((await read('good.pbtxt')).nodes[0]?.options).toMatchObject({
      labelMapPath: join(folder.path, 'three.txt'),
    });
    await writeFile(join(folder.path, 'bad.pbtxt'), graph('lost/three.txt'));
    await expect(read('bad.pbtxt')).rejects.toThrow(/bad\.pbtxt:3: .*label_map_path: ENOENT.*lost\/three\.txt/);
  });

  it('of a subgraph, from the folder of that one’s file', async () => {
    await folder.put('parts/three.txt', 'x');
    await folder.put('parts/inner.pbtxt', `type: "Inner" ${graph('three.txt')}`);
    await folder.put('parts/outer.pbtxt', 'input_stream: "a" output_stream: "b" node { calculator: "Inner" input_stream: "a" output_stream: "b" }'); // prettier-ignore
    const { nodes } = await read('parts/outer.pbtxt');
    expect(nodes[0]?.options).toMatchObject({ labelMapPath: join(folder.path, 'parts/three.txt') });
  });

  it('names the classes of detections', async () => {
    const box = { xMin: 0, yMin: 0, width: 1, height: 1 };
    const one: Detection = { ...box, classes: [{ index: 2, score: 1 }, { index: 3, score: 0 }] }; // prettier-ignore
    const label_map_path = join(folder.path, 'three.txt');
    const run = (options: object) =>
      outputOf(detectionLabelIdToText, '', { inputs: { '': [[0, [one]]] }, options: options as never });
    const [named] = (await run({ label_map_path })) as Detection[][];
    expect(named?.[0]?.classes.map(({ label }) => label)).toEqual(['blue', undefined]);
    await expect(run({ label_map_path, label: 'a' })).rejects.toThrow(/exclude each other/);
  });
});
