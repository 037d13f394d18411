import { describe, expect, test } from 'vitest';
import type { LoadedServables, ModelSpec } from '../../servable-spec.ts';
import { BATCHED, load, one, spec, reasonOf } from '../../../../test/support/triton-models.ts';

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
        priority_queue_policy { key: 1 value { max_queue_size: 9 allow_timeout_override: true } }
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
