import { fileURLToPath } from 'node:url';
import { GraphRun, parseGraphConfig, validateGraph, type CalculatorRegistry } from '../src/graph/index.ts';
import { silentLogger } from '../src/base/logger.ts';
import { backendFor } from '../src/runtime/index.ts';
import { MODEL_SERVICE, type ModelService } from '../src/runtime/model-service.ts';
import type { ModelSession } from '../src/runtime/model-session.ts';
import type { Tensor } from '../src/tensor/tensor.ts';
import { median } from './statistics.ts';

const RUN_MS = 5;
/** The first warms up. */
const ROUNDS = 5;
const PACKETS = 100;

const SPIN = fileURLToPath(new URL('models/spin/1/model.onnx', import.meta.url));

const GRAPH = `
  input_stream: "n"
  output_stream: "y"
  node {
    calculator: "OpenVINOModelServerSessionCalculator"
    output_side_packet: "SESSION:session"
    node_options {
      [type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions] { servable_name: "spin" }
    }
  }
  node {
    calculator: "OpenVINOInferenceCalculator"
    input_side_packet: "SESSION:session"
    input_stream: "N:n"
    output_stream: "Y:y"
    node_options {
      [type.googleapis.com/mediapipe.OpenVINOInferenceCalculatorOptions] {
        tag_to_input_tensor_names { key: "N" value: "n" }
        tag_to_output_tensor_names { key: "Y" value: "y" }
      }
    }
  }`;

/**
 * A packet's time in a graph around one model, from being fed to coming out, beyond the model's run within it: the median
 * packet's share of the median run, which takes 5 ms or so, in the best of some rounds. Graph and run are timed in the same
 * packets, so that what else the machine does falls out as far as it can.
 */
export async function modelOverhead(registry: CalculatorRegistry): Promise<number> {
  const options = { name: 'spin', version: '1', path: SPIN, intraOpThreads: 1, runDeadlineMs: 0 };
  const monitor = { runStarted() {}, runEnded() {} };
  await using model = await backendFor(SPIN).load({ ...options, executionProviders: ['cpu'] }, monitor, silentLogger);
  const input = toInput(await turnsFor(model));
  const { name, version, inputs, outputs, provider } = model;

  let runMs = 0;
  const timed: ModelSession = {
    name,
    version,
    inputs,
    outputs,
    provider,
    run: async (tensors, isWanted) => {
      const begun = performance.now();
      const results = await model.run(tensors, isWanted);
      runMs = performance.now() - begun;
      return results;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const models: ModelService = { session: () => timed };
  const run = new GraphRun(validateGraph(parseGraphConfig(GRAPH), registry), {
    services: new Map([[MODEL_SERVICE, models]]),
  });
  let isOut: () => void;
  run.observe('y', () => isOut());
  run.start();
  await run.waitUntilIdle();

  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const runs: number[] = [];
    const rest: number[] = [];
    for (let at = 0; at < PACKETS; at++) {
      const begun = performance.now();
      await new Promise<void>((resolve) => {
        isOut = resolve;
        run.addPacket('n', { value: input, timestamp: BigInt(round * PACKETS + at) });
      });
      runs.push(runMs);
      rest.push(performance.now() - begun - runMs);
    }
    least = Math.min(least, median(rest) / median(runs));
  }
  run.closeAllInputs();
  await run.waitUntilDone();
  return least;
}

/** Turns of the model's loop that take about `RUN_MS`. */
async function turnsFor(model: ModelSession): Promise<number> {
  const times: number[] = [];
  const turns = 16;
  for (let round = 0; round < 20; round++) {
    const begun = performance.now();
    await model.run([toInput(turns)]);
    times.push(performance.now() - begun);
  }
  return Math.max(1, Math.round((turns * RUN_MS) / Math.min(...times)));
}

function toInput(turns: number): Tensor {
  return { name: 'n', datatype: 'INT64', shape: [1], data: new Uint8Array(new BigInt64Array([BigInt(turns)]).buffer) };
}
