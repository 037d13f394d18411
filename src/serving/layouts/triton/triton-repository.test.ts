import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../../../test/support/paths.ts';
import { ScratchFolder } from '../../../../test/support/scratch-folder.ts';
import type { LoadedServables, ModelSpec } from '../../servable-spec.ts';
import { loadTritonRepository } from './triton-repository.ts';

const MODELS = join(ROOT, 'test/fixtures/models');

/** Inputs and outputs of dynamic.onnx: image [-1,3,-1,-1] → mean [-1,3]. */
const IO = `
  input { name: "image" data_type: TYPE_FP32 dims: [3, -1, -1] }
  output { name: "mean" data_type: TYPE_FP32 dims: [3] }
`;

const BATCHED = `backend: "onnxruntime" max_batch_size: 8 ${IO}`;

/** Files by path; a name of a fixture as `onnx:dynamic`. */
type Files = Readonly<Record<string, string>>;

async function load(
  files: Files,
  more: Partial<Parameters<typeof loadTritonRepository>[0]> = {},
): Promise<LoadedServables> {
  await using folder = await ScratchFolder.create();
  for (const [path, content] of Object.entries(files)) {
    if (content.startsWith('onnx:')) await folder.copy(join(MODELS, `${content.slice(5)}.onnx`), path);
    else if (path.endsWith('/')) await mkdir(join(folder.path, path), { recursive: true });
    else await folder.put(path, content);
  }
  return await loadTritonRepository({ roots: [folder.path], hasGpu: false, ...more });
}

/** The one model `m` with this configuration over dynamic.onnx. */
const one = (config: string, files: Files = {}): Promise<LoadedServables> =>
  load({ 'm/config.pbtxt': config, 'm/1/model.onnx': 'onnx:dynamic', ...files });

async function spec(config: string, files: Files = {}): Promise<ModelSpec> {
  const { specs, broken } = await one(config, files);
  expect(broken).toEqual([]);
  const [first] = specs;
  if (first?.kind !== 'model') throw new Error(`a model expected, ${first?.kind} loaded`);
  return first;
}

const reasonOf = ({ broken }: LoadedServables): string => broken.map(({ reason }) => reason).join('; ');

describe('versions', () => {
  const files = {
    'm/1/model.onnx': 'onnx:dynamic',
    'm/2/model.onnx': 'onnx:dynamic',
    'm/10/model.onnx': 'onnx:dynamic',
    'm/03/model.onnx': 'onnx:add',
    'm/x/y': '',
  };

  test.each([
    ['', ['10']],
    ['version_policy { latest { num_versions: 2 } }', ['2', '10']],
    ['version_policy { all {} }', ['1', '2', '10']],
    ['version_policy { specific { versions: [1, 10] } }', ['1', '10']],
  ])('"%s" serves %j', async (policy, versions) => {
    const { specs } = await load({ ...files, 'm/config.pbtxt': `${BATCHED} ${policy}` });
    expect(specs.map(({ version }) => version)).toEqual(versions);
  });

  test('one that is asked for and not there is warned of, and the others are served', async () => {
    const { specs, warnings } = await load({
      ...files,
      'm/config.pbtxt': `${BATCHED} version_policy { specific { versions: [2, 7] } }`,
    });
    expect(specs.map(({ version }) => version)).toEqual(['2']);
    expect(warnings).toEqual([expect.stringMatching(/^m\/config\.pbtxt:4: version_policy: version 7 .* not present$/)]);
  });

  test('a version whose file is missing is told, and the others are served', async () => {
    const loaded = await load({
      'm/1/model.onnx': 'onnx:dynamic',
      'm/2/weights.pt': '',
      'm/config.pbtxt': `${BATCHED} version_policy { all {} }`,
    });
    expect(loaded.specs.map(({ version }) => version)).toEqual(['1']);
    expect(loaded.broken).toEqual([
      { name: 'm', version: '2', kind: 'model', reason: expect.stringContaining('torch.onnx.export') as string },
    ]);
  });
});

describe('what serves a model', () => {
  test.each([
    ['backend: "onnxruntime"', 'model'],
    ['platform: "onnxruntime_onnx"', 'model'],
    ['', 'model'],
  ])('"%s": an ONNX file', async (config, kind) => {
    const { specs } = await one(config);
    expect(specs.map((each) => each.kind)).toEqual([kind]);
  });

  test.each(['backend: "millrace"', 'platform: "millrace_graph"', ''])('"%s": a graph', async (config) => {
    const graph =
      'input_stream: "a"\noutput_stream: "b"\nnode { calculator: "PassThroughCalculator" input_stream: "a" output_stream: "b" }';
    const { specs } = await load({ 'g/config.pbtxt': config, 'g/3/graph.pbtxt': graph });
    expect(specs).toMatchObject([{ kind: 'graph', name: 'g', version: '3', config: { platform: 'millrace_graph' } }]);
  });

  test('a runtime has its parameters, without the export', async () => {
    const config = `backend: "millrace_runtime" default_model_filename: "echo.ts" max_batch_size: 4
      parameters { key: "export" value { string_value: "Echo" } } parameters { key: "gain" value { string_value: "2" } }
      instance_group { count: 2 } dynamic_batching { max_queue_delay_microseconds: 5000 }
      input { name: "x" data_type: TYPE_FP32 dims: 1 } output { name: "y" data_type: TYPE_STRING dims: 1 }`;
    const { specs, broken } = await load({ 'r/config.pbtxt': config, 'r/1/echo.ts': 'export class Echo {}' });
    expect(broken).toEqual([]);
    expect(specs).toMatchObject([
      {
        kind: 'runtime',
        version: '1',
        export: 'Echo',
        parameters: { gain: '2' },
        instances: 2,
        batching: { maxSize: 4, maxTimeMs: 5 },
        declared: {
          inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
          outputs: [{ name: 'y', datatype: 'BYTES' }],
        },
      },
    ]);
  });

  test.each([
    [
      'backend: "python"',
      'm/config.pbtxt:1: backend: "python" given, "onnxruntime", "millrace", "millrace_runtime" expected: Triton\'s Python models',
    ],
    ['backend: "tensorflow"', 'python -m tf2onnx.convert'],
    ['platform: "tensorrt_plan"', 'm/config.pbtxt:1: platform: "tensorrt_plan" given'],
    ['backend: "mine"', '"millrace_runtime" expected'],
    ['default_model_filename: "model.xyz"', "Could not determine backend for model 'm'"],
    [
      'backend: "onnxruntime" default_model_filename: "other.onnx"',
      'm/config.pbtxt:1: default_model_filename: "m/1/other.onnx" does not exist',
    ],
    [
      'backend: "onnxruntime" default_model_filename: "../2/model.onnx"',
      "the name of a file in the version's folder expected",
    ],
  ])('%s is refused', async (config, reason) => {
    expect(reasonOf(await one(config))).toContain(reason);
  });

  test("a folder of Triton's Python model without a configuration is told what to do", async () => {
    expect(reasonOf(await load({ 'p/1/model.py': '' }))).toContain('write a runtime');
  });
});

describe('auto-complete', () => {
  test('without a configuration all comes from the file; a model that can be batched is', async () => {
    const { specs, warnings } = await load({ 'm/1/model.onnx': 'onnx:dynamic' });
    expect(specs).toMatchObject([
      {
        signature: {
          maxBatchSize: 4,
          inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 3, -1, -1] }],
          outputs: [{ name: 'mean', datatype: 'FP32', shape: [-1, 3] }],
        },
        dynamicBatching: { maxQueueDelayUs: 0 },
        config: {
          max_batch_size: 4,
          backend: 'onnxruntime',
          default_model_filename: 'model.onnx',
          dynamic_batching: {},
        },
      },
    ]);
    expect(warnings).toEqual([expect.stringContaining("autofilled max_batch_size to 4 for model 'm'")]);
  });

  test('one that cannot is not', async () => {
    const { specs, warnings } = await load({ 'm/1/model.onnx': 'onnx:add' });
    expect(specs).toMatchObject([
      { signature: { maxBatchSize: 0, inputs: [{ shape: [1, 4] }, { shape: [1, 4] }] }, dynamicBatching: undefined },
    ]);
    expect(warnings).toEqual([]);
  });

  test('what is given stays', async () => {
    const { signature, dynamicBatching } = await spec(
      'max_batch_size: 16 output { name: "mean" data_type: TYPE_FP32 dims: 3 }',
    );
    expect(signature).toMatchObject({ maxBatchSize: 16, inputs: [{ shape: [-1, 3, -1, -1] }] });
    expect(dynamicBatching).toBeDefined();
  });

  test('a batch of values alone has a reshaped dimension, as dims may not be empty', async () => {
    const { specs } = await load({ 'm/1/model.onnx': 'onnx:identity_fp32' });
    expect(specs).toMatchObject([{ signature: { inputs: [{ shape: [-1, 1], reshape: [] }] } }]);
  });

  test('a file that is no ONNX is left to the host to refuse', async () => {
    const { specs, broken } = await load({ 'm/1/model.onnx': 'onnx:not_onnx' });
    expect(broken).toEqual([]);
    expect(specs).toMatchObject([{ kind: 'model', signature: undefined, config: undefined }]);
  });
});

describe('a configuration and a file that do not agree', () => {
  const io = (input: string, output = 'output { name: "mean" data_type: TYPE_FP32 dims: 3 }') => `${input} ${output}`;
  test.each([
    [
      `max_batch_size: 4 input { name: "A" data_type: TYPE_FP32 dims: 4 } output { name: "SUM" data_type: TYPE_FP32 dims: 4 }`,
      "unable to load model 'm', configuration expects 1 inputs, model provides 2",
      'add',
    ],
    [
      `max_batch_size: 4`,
      "autofill failed for model 'm': model does not support batching while non-zero max_batch_size is specified",
      'add',
    ],
    [
      io('input { name: "picture" data_type: TYPE_FP32 dims: [-1, 3, 4, 4] }'),
      "unexpected inference input 'picture', allowed inputs are: image",
      'dynamic',
    ],
    [
      io('input { name: "image" data_type: TYPE_UINT8 dims: [-1, 3, 4, 4] }'),
      "unexpected datatype TYPE_UINT8 for input 'image', expecting TYPE_FP32",
      'dynamic',
    ],
    [
      io('input { name: "image" data_type: TYPE_FP32 dims: [3, 4, 4] }'),
      "model 'm', tensor 'image': the model expects 4 dimensions (shape [-1,3,-1,-1]) but the model configuration specifies 3 dimensions (shape [3,4,4])",
      'dynamic',
    ],
    [
      `max_batch_size: 4 ${io('input { name: "image" data_type: TYPE_FP32 dims: [1, 4, 4] }')}`,
      'the model configuration specifies 4 dimensions (an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape [-1,1,4,4])',
      'dynamic',
    ],
    [
      io(
        'input { name: "image" data_type: TYPE_FP32 dims: [-1, 3, 4, 4] }',
        'output { name: "sum" data_type: TYPE_FP32 dims: [-1, 3] }',
      ),
      "unexpected inference output 'sum', allowed outputs are: mean",
      'dynamic',
    ],
  ])('%s', async (config, reason, model) => {
    expect(reasonOf(await one(config, { 'm/1/model.onnx': `onnx:${model}` }))).toContain(reason);
  });
});

describe('fields', () => {
  test.each([
    ['cc_model_filenames { key: "7.5" value: "a.onnx" }', 'cc_model_filenames: there is one file for every device'],
    ['model_operations { op_library_filename: "a.so" }', 'model_operations: native libraries'],
    ['model_repository_agents { agents { name: "checksum" } }', 'model_repository_agents: agents are not run'],
    ['batch_input { target_name: "n" }', 'batch_input: ragged batches'],
    ['batch_output { target_name: "n" }', 'batch_output: ragged batches'],
    [
      'model_transaction_policy { decoupled: true }',
      'model_transaction_policy.decoupled: a model answers each request once',
    ],
    ['input { name: "a" data_type: TYPE_FP32 dims: 1 is_shape_tensor: true }', 'input.is_shape_tensor: shape tensors'],
    [
      'input { name: "a" data_type: TYPE_FP32 dims: 1 is_non_linear_format_io: true }',
      "input.is_non_linear_format_io: it is TensorRT's",
    ],
    [
      'input { name: "a" data_type: TYPE_FP32 dims: 1 allow_ragged_batch: true }',
      'input.allow_ragged_batch: ragged batches',
    ],
    [
      'parameters { key: "intra_op_thread_count" value { string_value: "many" } }',
      'intra_op_thread_count: "many" given',
    ],
    ['model_warmup { name: "w" batch_size: 9 }', "model_warmup: sample 'w': batch size 9 given, max allowed is 8"],
    [
      'model_warmup { name: "w" inputs { key: "image" value { data_type: TYPE_FP32 dims: [3, 1, 1] } } }',
      'must specify zero_data, random_data or input_data_file',
    ],
    [
      'model_warmup { name: "w" inputs { key: "image" value { data_type: TYPE_FP32 dims: [3, -1, 1] zero_data: true } } }',
      'dims [3,-1,1] given',
    ],
    [
      'model_warmup { name: "w" inputs { key: "image" value { data_type: TYPE_FP32 dims: 3 input_data_file: "a" } } }',
      'm/warmup/a" does not exist',
    ],
  ])('%s is refused with its place', async (field, reason) => {
    const loaded = await one(`${BATCHED}\n${field}`);
    expect(reasonOf(loaded)).toContain(reason);
    expect(reasonOf(loaded)).toMatch(/^m\/config\.pbtxt:\d: /);
    expect(loaded.specs).toEqual([]);
  });

  test.each([
    'runtime: "a.so"',
    'metric_tags { key: "a" value: "b" }',
    'model_metrics {}',
    'optimization { graph { level: -1 } }',
    'optimization { priority: PRIORITY_MAX }',
    'optimization { cuda { graphs: true } }',
    'optimization { gather_kernel_buffer_threshold: 1 }',
    'optimization { eager_batching: true }',
    'optimization { execution_accelerators { cpu_execution_accelerator { name: "openvino" } } }',
    'optimization { execution_accelerators { gpu_execution_accelerator { name: "auto_io" } } }',
    'parameters { key: "enable_mem_arena" value { string_value: "0" } }',
    'instance_group { gpus: 1 kind: KIND_GPU }',
    'instance_group { kind: KIND_MODEL }',
    'instance_group { profile: "1" }',
    'instance_group { passive: true }',
    'instance_group { host_policy: "node_0" }',
    'instance_group { rate_limiter { resources { name: "R" count: 1 } } }',
  ])('%s is warned of, and the model loads', async (field) => {
    const { specs, warnings } = await one(`${BATCHED}\n${field}`);
    expect(specs).toHaveLength(1);
    const [name = ''] = /^\w+/.exec(field) ?? [];
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^m/config\\.pbtxt:5: ${name}`))]);
  });

  test('scheduling, caching, threads and providers are in the spec', async () => {
    const { dynamicBatching, cachesResponses, intraOpThreads, executionProviders, instances } = await spec(`${BATCHED}
      dynamic_batching {
        preferred_batch_size: [8, 4] max_queue_delay_microseconds: 100 preserve_ordering: true priority_levels: 3 default_priority_level: 2
        default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 5 allow_timeout_override: true max_queue_size: 7 }
        priority_queue_policy { key: 1 value { max_queue_size: 9 } }
      }
      response_cache { enable: true }
      parameters { key: "intra_op_thread_count" value { string_value: "3" } }
      instance_group { kind: KIND_GPU count: 2 }
      optimization { execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } } }`);
    expect(dynamicBatching).toEqual({
      preferredSizes: [4, 8],
      maxQueueDelayUs: 100,
      preservesOrder: true,
      priorityLevels: 3,
      defaultPriorityLevel: 2,
      queuePolicy: { onTimeout: 'delay', defaultTimeoutUs: 5, allowsTimeoutOverride: true, maxQueueSize: 7 },
      priorityQueuePolicies: {
        1: { onTimeout: 'reject', defaultTimeoutUs: 0, allowsTimeoutOverride: false, maxQueueSize: 9 },
      },
    });
    expect({ cachesResponses, intraOpThreads, executionProviders, instances }).toEqual({
      cachesResponses: true,
      intraOpThreads: 3,
      executionProviders: ['tensorrt', 'cuda', 'cpu'],
      instances: 2,
    });
  });

  test("Millrace's own limits are among the parameters", async () => {
    const parameter = (key: string, value: string) =>
      `parameters { key: "millrace.${key}" value { string_value: "${value}" } }`;
    const own = [
      parameter('max_sessions', '3'),
      parameter('run_deadline_ms', '500'),
      parameter('max_requests_per_second', '2.5'),
    ];
    const { maxSessions, runDeadlineMs, requestLimit } = await spec(`${BATCHED} ${own.join(' ')}`);
    expect({ maxSessions, runDeadlineMs, requestLimit }).toEqual({
      maxSessions: 3,
      runDeadlineMs: 500,
      requestLimit: { maxPerSecond: 2.5, maxAtOnce: 0 },
    });
    const faults = async (key: string, value: string) => reasonOf(await one(`${BATCHED} ${parameter(key, value)}`));
    expect(await faults('max_session', '1')).toContain('"millrace.max_session"; did you mean "millrace.max_sessions"?');
    expect(await faults('call_deadline_ms', '1')).toMatch(
      /^m\/config\.pbtxt:4: parameters: unknown parameter .*run_deadline_ms/,
    );
    expect(await faults('max_sessions', 'few')).toContain(
      'millrace.max_sessions: "few" given, a whole number expected',
    );
  });

  describe('sequences', () => {
    const flags = (start = 'int32_false_true: [0, 1]'): string => `
      control_input { name: "START" control { kind: CONTROL_SEQUENCE_START ${start} } }
      control_input { name: "READY" control { kind: CONTROL_SEQUENCE_READY int32_false_true: [0, 1] } }
      control_input { name: "END" control { kind: CONTROL_SEQUENCE_END int32_false_true: [0, 1] } }
      control_input { name: "CORRID" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_INT64 } }`;
    const state = 'state { input_name: "STATE_IN" output_name: "STATE_OUT" data_type: TYPE_FP32 dims: [1]';
    const sum = (config: string): Promise<LoadedServables> =>
      load({
        'm/config.pbtxt': `max_batch_size: 4\n${config}`,
        'm/1/model.onnx': 'onnx:sequence_sum',
        'm/initial_state/seven': '7777',
      });

    test('are in the spec; the tensors that the server adds are not asked of requests', async () => {
      const { specs, broken } = await sum(`sequence_batching {
        max_sequence_idle_microseconds: 5000000
        oldest { max_candidate_sequences: 4 max_queue_delay_microseconds: 10 }
        ${flags()}
        ${state} initial_state { name: "s" data_type: TYPE_FP32 dims: 1 data_file: "seven" } }
      }`);
      expect(broken).toEqual([]);
      const [model] = specs as readonly ModelSpec[];
      const control = (input: string, kind: string) => ({ input, kind, datatype: 'INT32', falseTrue: [0, 1] });
      expect(model?.sequenceBatching).toEqual({
        maxIdleUs: 5_000_000,
        controls: [
          control('START', 'start'),
          control('READY', 'ready'),
          control('END', 'end'),
          { input: 'CORRID', kind: 'correlation_id', datatype: 'INT64', falseTrue: undefined },
        ],
        strategy: {
          kind: 'oldest',
          maxCandidateSequences: 4,
          preferredSizes: [],
          maxQueueDelayUs: 10,
          preservesOrder: false,
        },
        states: [
          {
            input: 'STATE_IN',
            output: 'STATE_OUT',
            datatype: 'FP32',
            shape: [1],
            initial: { shape: [1], file: expect.stringMatching(/\/m\/initial_state\/seven$/) as string },
          },
        ],
      });
      expect(model?.signature?.inputs.map(({ name }) => name)).toEqual(['INPUT']);
      expect(model?.signature?.outputs.map(({ name }) => name)).toEqual(['SUM', 'CONTROLS']);
      expect(model?.instances).toBe(1);
    });

    test('a state that is an output of the configuration is answered too', async () => {
      const output = (name: string) => `output { name: "${name}" data_type: TYPE_FP32 dims: 1 }`;
      const { specs, broken } = await sum(`
        input { name: "INPUT" data_type: TYPE_FP32 dims: 1 }
        output { name: "CONTROLS" data_type: TYPE_INT64 dims: 5 } ${output('SUM')} ${output('STATE_OUT')}
        sequence_batching { ${flags()} ${state} } }`);
      expect(broken).toEqual([]);
      const [model] = specs as readonly ModelSpec[];
      expect(model?.signature?.outputs.map(({ name }) => name)).toEqual(['CONTROLS', 'SUM', 'STATE_OUT']);
    });

    test.each([
      [
        'control_input { name: "BEGIN" control { kind: CONTROL_SEQUENCE_START int32_false_true: [0, 1] } }',
        'sequence_batching.control_input.name: "BEGIN" is not in the model, INPUT, STATE_IN, START, READY, END, CORRID expected',
      ],
      [
        'state { input_name: "STATE_IN" output_name: "STATES" data_type: TYPE_FP32 dims: 1 }',
        'sequence_batching.state.output_name: "STATES" is not in the model',
      ],
      [flags() + flags(), 'sequence batching specifies multiple CONTROL_SEQUENCE_START tensors for m'],
      [
        flags(''),
        "CONTROL_SEQUENCE_START of 'START' must specify one of 'int32_false_true', 'fp32_false_true', 'bool_false_true', with exactly 2 entries, for m",
      ],
      [flags('int32_false_true: [0]'), 'with exactly 2 entries'],
      [
        `${flags()} ${state} } iterative_sequence: true`,
        'iterative_sequence: an ONNX model cannot ask to be run again',
      ],
      [
        `${flags()} ${state} } } response_cache { enable: true`,
        'response_cache: the answers of a sequence depend on the requests before',
      ],
      [`${flags()} ${state} } direct { minimum_slot_utilization: 2 }`, '2 given, 0 to 1 expected'],
    ])('sequence_batching { %s } is refused', async (fields, reason) => {
      expect(reasonOf(await sum(`sequence_batching { ${fields} }`))).toContain(reason);
    });
  });

  test('a warm-up has the batch first', async () => {
    const { warmup } = await spec(
      `${BATCHED} model_warmup { name: "w" batch_size: 2 count: 3 inputs { key: "image" value { data_type: TYPE_FP32 dims: [3, 4, 4] random_data: true } } }`,
    );
    expect(warmup).toEqual([
      { name: 'w', count: 3, inputs: [{ name: 'image', datatype: 'FP32', shape: [2, 3, 4, 4], data: 'random' }] },
    ]);
  });
});

describe('a repository', () => {
  test('a name that two have is served from neither', async () => {
    await using other = await ScratchFolder.create();
    await other.copy(join(MODELS, 'add.onnx'), 'm/1/model.onnx');
    await using first = await ScratchFolder.create();
    await first.copy(join(MODELS, 'add.onnx'), 'm/1/model.onnx');
    const { specs, broken } = await loadTritonRepository({ roots: [first.path, other.path] });
    expect(specs).toEqual([]);
    expect(broken).toMatchObject([
      { name: 'm', reason: expect.stringContaining('model appears in two or more repositories') as string },
    ]);
  });

  test('one that is not there is refused', async () => {
    await expect(loadTritonRepository({ roots: ['/no/such'] })).rejects.toThrow(
      'model_repository: "/no/such": it does not exist',
    );
  });

  test('a changed configuration is another fingerprint, and all that may change is watched', async () => {
    const before = await one(BATCHED);
    const after = await one(`${BATCHED} metric_tags { key: "a" value: "b" }`);
    expect(after.specs[0]?.fingerprint).not.toBe(before.specs[0]?.fingerprint);
    const relative = before.files.map((file) => file.replace(/^.*millrace-scratch-[^/]*/, ''));
    expect(relative).toEqual(['', '/m', '/m/config.pbtxt', '/m/1']);
  });

  test('a model that is broken takes no other down', async () => {
    const loaded = await one('max_batch_size: "x"', { 'n/1/model.onnx': 'onnx:add', '.git/1/x': '' });
    expect(loaded.specs.map(({ name }) => name)).toEqual(['n']);
    expect(loaded.broken.map(({ name }) => name)).toEqual(['m']);
  });
});

describe('an ensemble', () => {
  const add = { 'add/1/model.onnx': 'onnx:add' };
  const step = (model: string, inputs: Readonly<Record<string, string>>, outputs: Readonly<Record<string, string>>) =>
    `step { model_name: "${model}" model_version: -1 ${maps('input_map', inputs)} ${maps('output_map', outputs)} }`;
  const maps = (field: string, map: Readonly<Record<string, string>>) =>
    Object.entries(map)
      .map(([key, value]) => `${field} { key: "${key}" value: "${value}" }`)
      .join(' ');
  const tensors = `input { name: "X" data_type: TYPE_FP32 dims: [1, 4] } output { name: "Z" data_type: TYPE_FP32 dims: [1, 4] }`;
  const double = `platform: "ensemble" ${tensors} ensemble_scheduling { ${step('add', { A: 'X', B: 'X' }, { SUM: 'Z' })} }`;

  test('is a graph of inferences', async () => {
    const { specs, broken } = await load({ ...add, 'e/config.pbtxt': double });
    expect(broken).toEqual([]);
    expect(specs.find(({ name }) => name === 'e')).toMatchObject({
      kind: 'ensemble',
      version: '1',
      streams: { X: 't0', Z: 't1' },
      models: [{ name: 'add', version: '' }],
      graphText: expect.stringContaining('tag_to_input_tensor_names { key: "T1" value: "B" }') as string,
    });
  });

  test('within another is part of its graph', async () => {
    const outer = `platform: "ensemble" ${tensors} ensemble_scheduling { ${step('e', { X: 'X' }, { Z: 'y' })} ${step('e', { X: 'y' }, { Z: 'Z' })} }`;
    const { specs, broken } = await load({ ...add, 'e/config.pbtxt': double, 'o/config.pbtxt': outer });
    expect(broken).toEqual([]);
    const found = specs.find(({ name }) => name === 'o');
    expect(found).toMatchObject({ models: [{ name: 'add', version: '' }] });
    expect(found?.kind === 'ensemble' ? found.graphText.match(/OpenVINOInferenceCalculator"/g) : []).toHaveLength(2);
  });

  test('two that contain each other are refused', async () => {
    const of = (model: string) =>
      `platform: "ensemble" ${tensors} ensemble_scheduling { ${step(model, { X: 'X' }, { Z: 'Z' })} }`;
    const loaded = await load({ 'a/config.pbtxt': of('b'), 'b/config.pbtxt': of('a') });
    expect(loaded.specs).toEqual([]);
    expect(reasonOf(loaded)).toContain('the ensemble contains itself');
  });

  const withRuntime = (config: string, tensor = 'A') =>
    load({
      'r/config.pbtxt': `backend: "millrace_runtime" ${config}`,
      'r/1/model.ts': 'export default {}',
      'e/config.pbtxt': `platform: "ensemble" ${tensors} ensemble_scheduling { ${step('r', { [tensor]: 'X' }, { B: 'Z' })} }`,
    });

  test('of a runtime is taken as it is where the configuration of that names no tensors', async () => {
    const { specs, broken } = await withRuntime('');
    expect(broken).toEqual([]);
    expect(specs.find(({ name }) => name === 'e')).toMatchObject({ models: [{ name: 'r', version: '' }] });
  });

  test('of a runtime is checked against the tensors that the configuration of that names', async () => {
    const loaded = await withRuntime('input { name: "A" data_type: TYPE_FP32 dims: -1 }', 'C');
    expect(reasonOf(loaded)).toContain(
      'in ensemble e, ensemble tensor X is mapping to non-existing input C in model r',
    );
  });
});
