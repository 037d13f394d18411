import { expect, test, vi } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import {
  CalculatorRegistry,
  GraphRun,
  parseGraphConfig,
  runCalculator,
  validateGraph,
  type CalculatorCase,
} from '../../graph/index.ts';
import type { ScriptContext, ScriptHandler, ScriptSetup } from '../../runtime/script/define-script.ts';
import { SCRIPT_SERVICE, type ScriptService } from '../../runtime/script/script-service.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import { scriptCalculator } from './script-calculator.ts';

const number = (name: string, value: number): Tensor => tensorOf(name, 'FP32', [1], Float32Array.of(value));
const valueOf = (tensor: Tensor): number => Number(typedData(tensor)[0]);

function servicesFor(handler: ScriptHandler, parts: Partial<ScriptService> = {}): Map<string, unknown> {
  const service: ScriptService = {
    folder: '/graphs/x',
    logger: silentLogger,
    parameters: { first: true },
    script: () => handler,
    parametersAt: (timestamp) => ({ at: timestamp }),
    ...parts,
  };
  return new Map([[SCRIPT_SERVICE, service]]);
}

function run(handler: ScriptHandler, more: Partial<CalculatorCase> = {}, parts: Partial<ScriptService> = {}) {
  return runCalculator(scriptCalculator, {
    inputs: { INPUT: [[64, number('request', 3.5)]] },
    outputs: ['OUTPUT'],
    options: { handler_path: 'x.ts' },
    services: servicesFor(handler, parts),
    ...more,
  });
}

const addOne: ScriptHandler = { execute: ([tensor]) => [number('OUTPUT', valueOf(tensor as Tensor) + 1)] };

test('a list goes out at the timestamp of the inputs', async () => {
  const { outputs } = await run(addOne);
  expect(outputs['OUTPUT']).toMatchObject([{ timestamp: 64n, value: number('OUTPUT', 4.5) }]);
});

test('tensors come named after their streams, in the order of the tags, and go out by stream name or tag', async () => {
  const seen: string[] = [];
  const { outputs } = await run(
    {
      execute: (inputs) => {
        seen.push(...inputs.map(({ name }) => name));
        return Promise.resolve([number('out_b_0', 1), number('A', 2)]);
      },
    },
    { inputs: { B: [[1, number('x', 0)]], A: [[1, number('y', 0)]] }, outputs: ['A', 'B'] },
  );
  expect(seen).toEqual(['in_a_0', 'in_b_0']);
  expect([outputs['A'], outputs['B']].map((packets) => packets?.map(({ value }) => valueOf(value as Tensor)))).toEqual([
    [2],
    [1],
  ]);
});

test('inputs that are missing are left out, and so may outputs be', async () => {
  const { outputs } = await run(
    { execute: (inputs) => inputs.map((tensor) => ({ ...tensor, name: tensor.name.replace('in_', 'out_') })) },
    {
      inputs: { A: [[1, number('a', 5)]], B: [[2, number('b', 6)]] },
      outputs: ['A', 'B'],
      node: { inputStreamHandler: { handler: 'ImmediateInputStreamHandler', options: [] } },
    },
  );
  expect(outputs['A']).toMatchObject([{ timestamp: 1n }]);
  expect(outputs['B']).toMatchObject([{ timestamp: 2n }]);
});

test('the script is told of its node, then of each timestamp and the request’s parameters, and of the end', async () => {
  const calls: unknown[] = [];
  await run({
    initialize: ({ node, inputs, outputs, folder, parameters }: ScriptSetup) =>
      void calls.push({ node, inputs, outputs, folder, parameters }),
    execute: (_, { timestamp, parameters, signal }: ScriptContext) => {
      calls.push({ timestamp, parameters, aborted: signal.aborted });
      return [];
    },
    finalize: () => void calls.push('finalize'),
  });
  expect(calls).toEqual([
    {
      node: 'ScriptCalculator',
      inputs: ['in_input_0'],
      outputs: ['out_output_0'],
      folder: '/graphs/x',
      parameters: { first: true },
    },
    { timestamp: 64n, parameters: { at: 64n }, aborted: false },
    'finalize',
  ]);
});

test('a shared script is begun and ended by others', async () => {
  const initialize = vi.fn();
  const finalize = vi.fn();
  await run({ ...addOne, initialize, finalize }, { options: { handler_path: 'x.ts', shared: true } });
  expect([initialize, finalize].map((fn) => fn.mock.calls.length)).toEqual([0, 0]);
});

const PREFIX = 'Error occurred during graph execution - ';
const tensor = number('OUTPUT', 1);
test.each<[string, unknown]>([
  ['execute: undefined given, a list of tensors or a generator expected', undefined],
  ['execute: Object given, a list of tensors or a generator expected', { outputs: [] }],
  ['execute: output [1]: string given, a tensor expected', [tensor, 'text']],
  ['execute: output "OUTPUT": datatype: "FLOAT" given, one like FP32 expected', [{ ...tensor, datatype: 'FLOAT' }]],
  ['execute: output "OUTPUT": shape: [-1] given, whole numbers from 0 expected', [{ ...tensor, shape: [-1] }]],
  [
    'execute: output "OUTPUT": data: Float32Array given, the raw bytes as Uint8Array expected',
    [{ ...tensor, data: Float32Array.of(1) }],
  ],
  ['execute: output "OUTPUT": data: 4 bytes given, 8 expected for FP32 [2]', [{ ...tensor, shape: [2] }]],
  ['the node has no output "nothing"; it has "out_output_0"', [{ ...tensor, name: 'nothing' }]],
  ["execute yields, which needs LOOPBACK among the node's inputs and outputs", [][Symbol.iterator]()],
])('%s', async (text, result) => {
  const running = run({ execute: () => result as readonly Tensor[] });
  await expect(running).rejects.toThrow(`Calculator::Process() for node "ScriptCalculator" failed: ${PREFIX}${text}`);
});

test('what the script throws fails the run with its message, at every stage but the last, which is only logged', async () => {
  const fail = (): never => {
    throw new Error('as written');
  };
  await expect(run({ ...addOne, initialize: fail })).rejects.toThrow(/Open\(\).*graph execution - as written/);
  await expect(run({ execute: fail })).rejects.toThrow(/Process\(\).*graph execution - as written/);
  const errors: unknown[] = [];
  const logger = { ...silentLogger, error: (fields: object) => errors.push(fields) };
  const { outputs } = await run({ ...addOne, finalize: fail }, {}, { logger });
  expect(outputs['OUTPUT']).toHaveLength(1);
  expect(errors).toMatchObject([{ error: 'as written' }]);
});

test('a script that failed is finalized', async () => {
  const finalize = vi.fn();
  await expect(run({ execute: () => Promise.reject(new Error('no')), finalize })).rejects.toThrow('no');
  expect(finalize).toHaveBeenCalledOnce();
});

const LOOP = `
  input_stream: "in"
  output_stream: "out"
  node {
    name: "loop" calculator: "ScriptCalculator"
    input_stream: "INPUT:in" input_stream: "LOOPBACK:again"
    input_stream_info { tag_index: "LOOPBACK:0" back_edge: true }
    input_stream_handler {
      input_stream_handler: "SyncSetInputStreamHandler"
      options { [mediapipe.SyncSetInputStreamHandlerOptions.ext] { sync_set { tag_index: "LOOPBACK:0" } } }
    }
    output_stream: "OUTPUT:out" output_stream: "LOOPBACK:again"
    node_options { [type.googleapis.com/millrace.ScriptCalculatorOptions] { handler_path: "x.ts" } }
  }`;

/** Feeds the values at their timestamps, each when all is idle, and gives back `value@timestamp`. */
async function loop(handler: ScriptHandler, inputs: readonly (readonly [bigint, number])[], idle = true) {
  const graph = validateGraph(parseGraphConfig(LOOP), new CalculatorRegistry([scriptCalculator]));
  const running = new GraphRun(graph, { services: servicesFor(handler) });
  const seen: string[] = [];
  running.observe('out', ({ value, timestamp }) => seen.push(`${valueOf(value as Tensor)}@${timestamp}`));
  running.start();
  for (const [timestamp, value] of inputs) {
    running.addPacket('in', { value: number('in', value), timestamp });
    if (idle) await running.waitUntilIdle();
  }
  running.closeAllInputs();
  const error = await running.waitUntilDone().then(
    () => undefined,
    (failure: Error) => failure.message,
  );
  return { seen, error };
}

const three: ScriptHandler = {
  *execute([input]) {
    for (let i = 1; i <= 3; i++) yield [number('out', valueOf(input as Tensor) + i)];
  },
};
const threeLater: ScriptHandler = {
  async *execute([input]) {
    for (let i = 1; i <= 3; i++) {
      await new Promise(setImmediate);
      yield [number('out', valueOf(input as Tensor) + i)];
    }
  },
};

test.each([
  ['a generator', three],
  ['an async generator', threeLater],
])(
  'what %s yields goes out at the timestamp of the inputs and the ones after it; then it takes more',
  async (_, script) => {
    expect(
      await loop(script, [
        [5n, 3.5],
        [20n, 0],
      ]),
    ).toEqual({
      seen: ['4.5@5', '5.5@6', '6.5@7', '1@20', '2@21', '3@22'],
      error: undefined,
    });
  },
);

test('a list is fine in a node with LOOPBACK', async () => {
  expect(
    (
      await loop({ execute: () => [number('out', 1)] }, [
        [5n, 0],
        [6n, 0],
      ])
    ).seen,
  ).toEqual(['1@5', '1@6']);
});

test('inputs that come while a generator is at work fail the run, and its finally blocks run', async () => {
  let isOver = false;
  const script: ScriptHandler = {
    *execute() {
      try {
        for (;;) yield [number('out', 1)];
      } finally {
        isOver = true;
      }
    },
  };
  const { seen, error } = await loop(
    script,
    [
      [5n, 0],
      [7n, 0],
    ],
    false,
  );
  expect(seen).toEqual(['1@5', '1@6', '1@7', '1@8']);
  expect(error).toContain('Node is already processing data. Create new stream for another request.');
  expect(isOver).toBe(true);
});

test('a generator fails the run with the message of what it throws or of what is wrong in what it yields', async () => {
  const throws: ScriptHandler = {
    *execute() {
      yield [number('out', 1)];
      throw new Error('no more');
    },
  };
  expect(await loop(throws, [[5n, 0]], false)).toMatchObject({
    seen: ['1@5'],
    error: expect.stringContaining('no more') as string,
  });
  const yields = {
    *execute() {
      yield number('out', 1);
    },
  } as unknown as ScriptHandler;
  expect((await loop(yields, [[5n, 0]], false)).error).toContain(
    'execute yields: Object given, a list of tensors expected',
  );
});

test('LOOPBACK on one side only is refused', () => {
  const text = LOOP.replace('output_stream: "LOOPBACK:again"', '').replace(
    'input_stream: "in"',
    'input_stream: "in" input_stream: "again"',
  );
  expect(() => validateGraph(parseGraphConfig(text), new CalculatorRegistry([scriptCalculator]))).toThrow(
    'LOOPBACK is on the input side only, on both or none expected',
  );
});

test.each([
  ['no handler', ''],
  ['the Default policy', 'input_stream_handler { input_stream_handler: "DefaultInputStreamHandler" }'],
  [
    'a set with another input',
    `input_stream_handler { input_stream_handler: "SyncSetInputStreamHandler" options {
       [mediapipe.SyncSetInputStreamHandlerOptions.ext] { sync_set { tag_index: "INPUT:0" tag_index: "LOOPBACK:0" } } } }`,
  ],
])('LOOPBACK that waits for the other inputs is refused: %s', (_, handler) => {
  const text = LOOP.replace(/input_stream_handler \{[^]*?\} \} \}\s*\}/, handler);
  expect(text).not.toBe(LOOP);
  expect(() => validateGraph(parseGraphConfig(text), new CalculatorRegistry([scriptCalculator]))).toThrow(
    'LOOPBACK waits for the other inputs',
  );
});

test('LOOPBACK may go with the Immediate policy', () => {
  const immediate = 'input_stream_handler { input_stream_handler: "ImmediateInputStreamHandler" }';
  const text = LOOP.replace(/input_stream_handler \{[^]*?\} \} \}\s*\}/, immediate);
  expect(() => validateGraph(parseGraphConfig(text), new CalculatorRegistry([scriptCalculator]))).not.toThrow();
});
