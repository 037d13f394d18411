import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cancellation } from '../../base/cancellation.ts';
import { silentLogger } from '../../base/logger.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import type { HostServable } from '../servable.ts';
import { loadGraph } from './graph-servable.ts';

const GRAPH = `
  input_stream: "in" output_stream: "state" output_stream: "out"
  node { calculator: "ConstantTensorCalculator" output_side_packet: "TENSOR:initial"
         node_options { [type.googleapis.com/millrace.ConstantTensorCalculatorOptions] { shape: 1 value: 7 } } }
  node { calculator: "SidePacketToStreamCalculator" input_side_packet: "initial" output_stream: "AT_ZERO:state" }
  node { calculator: "PassThroughCalculator" input_stream: "in" output_stream: "out" }`;

const request: InferenceRequest = {
  servable: 'g',
  version: '1',
  id: 'r',
  inputs: [tensorOf('in', 'FP32', [1], Float32Array.of(1))],
  outputs: [],
};
let folder: string;
let servable: HostServable;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-'));
  const graphPath = join(folder, 'graph.pbtxt');
  await writeFile(graphPath, GRAPH);
  const models = {
    session: () => {
      throw new Error('no models');
    },
  };
  const spec = { kind: 'graph', name: 'g', version: '1', graphPath } as const;
  servable = await loadGraph(spec, () => ({ models, release: () => {} }), silentLogger);
});
afterAll(() => rm(folder, { recursive: true }));

test('a source has its turn in a unary request', async () => {
  const { outputs } = await servable.infer(request, new Cancellation());
  expect(outputs.map(({ name }) => name)).toEqual(['state', 'out']);
});

test('and in a session that is opened, fed and half-closed at once', async () => {
  const responses: InferenceResponse[] = [];
  await new Promise<void>((resolve, reject) => {
    const session = servable.open(request, {
      respond: (response) => responses.push(response),
      taken: () => {},
      dropped: () => {},
      refuse: (_, error) => reject(error),
      end: (error) => (error === undefined ? resolve() : reject(error)),
      isFull: false,
      maxBytes: Infinity,
    });
    session.push(request);
    session.halfClose();
  });
  expect(responses.flatMap(({ outputs }) => outputs.map(({ name }) => name)).sort()).toEqual(['out', 'state']);
});
