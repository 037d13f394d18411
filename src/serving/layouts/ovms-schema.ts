import { z } from 'zod';
import { strictObject } from '../../base/schema-issues.ts';

/**
 * The keys of OVMS's config.json and ours beside them, once: validation and `docs/config.md` derive from these. Entries
 * are `unknown` in the file's schema and parsed one by one, so that a bad one does not take the others down.
 */

const name = z.string().min(1).meta({ description: 'Name that requests give. Required.' });
const basePath = z.string().meta({
  description: "Folder (or, for a model, file), relative to the configuration file's folder. For a graph: `<name>/`.",
});
const graphPath = z.string().meta({ description: 'The graph, relative to base_path. Default `graph.pbtxt`.' });
const subconfig = z.string().meta({
  description:
    'File with a model_config_list of models that belong to the graph, relative to base_path. Default `subconfig.json`, then `config.json`, where there is one.',
});

const versionList = z.array(z.union([z.int().min(1), z.string().regex(/^[1-9]\d*$/)]));
const versionPolicy = z.union(
  [
    z.strictObject({ latest: z.strictObject({ num_versions: z.int().min(1).optional() }) }),
    z.strictObject({ specific: z.strictObject({ versions: versionList.min(1) }) }),
    z.strictObject({ all: z.strictObject({}) }),
  ],
  { error: '{"latest": {"num_versions": N}}, {"specific": {"versions": [N, …]}} or {"all": {}} expected' },
);

const inputPolicy = z.enum(['queue', 'newest']);

/** What a timer can wait for at most. */
const timer = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** A limit of a graph's streams, which is also an option of the server. */
function limit(name: string, unit: string) {
  return z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional()
    .meta({ description: `The option ${name}, for this graph's streams; 0: no limit.`, unit, ours: true });
}

const maxSessions = z.int().min(1).optional().meta({
  description:
    'Sessions (open streams) at once; one more is refused. Default: as many as the option max_sessions lets.',
  unit: 'sessions',
});

/** What a model and a graph may say in addition to OVMS's keys. */
const ownKeys = {
  max_sessions: maxSessions.meta({ ...maxSessions.meta(), ours: true }),
};

/** What only a graph may say in addition to them. */
const graphKeys = {
  automatic_timestamps: z
    .union([z.enum(['request', 'wall_clock']), strictObject({ step_us: z.int().min(1) })], {
      error: '"request", "wall_clock" or {"step_us": N} expected',
    })
    .optional()
    .meta({
      description:
        'Timestamp of requests without OVMS_MP_TIMESTAMP: previous + 1 from 0 (`request`), µs since the epoch (`wall_clock`), or previous + N. Default: as the graph needs.',
      ours: true,
    }),
  isolation: z.enum(['own', 'shared']).optional().meta({
    description:
      "`own`: a host process for this graph alone. `shared`: in the same hosts as other graphs and models. Default `own` where the graph runs users' code (ScriptCalculator, or a calculator that is mentioned in the folder of one of `calculators`), else `shared`.",
    ours: true,
  }),
  call_deadline_ms: timer.optional().meta({
    description:
      "Longest call of users' code in the graph. One that has not settled by then ends its session; one that does not return costs the host, where it is the graph's own. 0: none. Default 60000.",
    unit: 'milliseconds',
    ours: true,
  }),
  load_timeout_ms: timer.optional().meta({
    description:
      "Longest import of a module of users' code in the graph, with all that it imports, and longest `initialize` of a shared script. One that takes longer leaves the graph unavailable, with the module's name as reason. 0: none. Default 60000.",
    unit: 'milliseconds',
    ours: true,
  }),
  input_policy: z
    .union([inputPolicy, z.record(z.string(), inputPolicy)], {
      error: '"queue", "newest", or one of them by graph input expected',
    })
    .optional()
    .meta({
      description:
        'What a busy graph does with packets that wait in a stream, for all inputs or as `{"frame": "newest"}`: they wait in order (`queue`), or one of them does and a newer one drops it with its request (`newest`). Default `queue`.',
      ours: true,
    }),
  session_idle_timeout_ms: limit('session_idle_timeout_ms', 'milliseconds'),
  session_max_duration_ms: limit('session_max_duration_ms', 'milliseconds'),
  max_in_flight_requests: limit('max_in_flight_requests', 'requests'),
  max_queued_packets: limit('max_queued_packets', 'packets'),
};

const count = (least: number) =>
  z
    .int()
    .min(least)
    .max(2 ** 31 - 1);

/** What only a model may say, beyond OVMS's keys. */
const ownModelKeys = {
  batching: strictObject({
    max_batch_size: count(1).meta({
      description: 'Rows in one run, at most; a request with more runs alone. Required.',
    }),
    preferred_batch_sizes: z.array(count(1)).optional().meta({
      description: 'A run has the largest of these sizes that there are requests for, else as much as there is.',
    }),
    max_queue_delay_us: count(0).optional().meta({
      description:
        'How long the oldest request waits for others while the model is free. Default 0: what comes during a run makes the next one.',
      unit: 'microseconds',
    }),
    preserve_ordering: z.boolean().optional().meta({
      description: 'Answers come in the order of the requests, whatever their shapes and priorities. Default false.',
    }),
    priority_levels: count(0).optional().meta({
      description: 'Priorities that requests may give (parameter `priority`); 1 is served first. Default 0: none.',
    }),
    default_priority_level: count(1).optional().meta({
      description: 'Of a request that gives none, or one that there is not. Default the last.',
    }),
    max_queue_size: count(0).optional().meta({
      description:
        'Requests that may wait at each priority; one more is refused with UNAVAILABLE. Default 0: no limit.',
    }),
    default_timeout_us: count(0).optional().meta({
      description: 'Longest wait of a request. Default 0: no limit.',
      unit: 'microseconds',
    }),
    allow_timeout_override: z.boolean().optional().meta({
      description: "A request's parameter `timeout` (microseconds) may shorten its wait. Default true.",
    }),
    timeout_action: z.enum(['reject', 'delay']).optional().meta({
      description: '`reject` (default): UNAVAILABLE. `delay`: behind all that came in time.',
    }),
  })
    .optional()
    .meta({
      description:
        "Requests of all clients, streams and graphs run as one, with the rows of all: an object with `max_batch_size` and others, see [models.md](models.md). The first dimension of each of the model's tensors must be dynamic.",
      ours: true,
    }),
  instances: count(1).optional().meta({
    description:
      'How many hosts load the model; graphs of the others reach it through the front. Default: every host where its files have at most 64 MiB, 1 where they have more, where it batches or keeps state and where it is for a GPU.',
    unit: 'hosts',
    ours: true,
  }),
  rate_limit: strictObject({
    max_requests_per_second: z.number().positive().optional(),
    max_concurrent_requests: count(1).optional(),
  })
    .optional()
    .meta({
      description:
        '`max_requests_per_second` (a second without any lets as many come at once) and `max_concurrent_requests` of clients; what is beyond is refused with RESOURCE_EXHAUSTED (REST: 429). Runs in graphs do not count.',
      ours: true,
    }),
};

/** Of models whose requests belong to sequences: OVMS's keys and ours beside them. */
const statefulKeys = {
  stateful: z.boolean().optional().meta({
    description:
      'Requests belong to sequences, and the model keeps state from one to the next: `states` says which, see [models.md](models.md).',
  }),
  max_sequence_number: count(1).optional().meta({
    description:
      'Sequences that may be under way at once in each host that has the model; one more is refused with UNAVAILABLE. Default 500.',
    unit: 'sequences',
  }),
  idle_sequence_cleanup: z.boolean().optional().meta({
    description: 'Sequences that are silent for `sequence_idle_timeout_ms` end. Default true.',
  }),
  low_latency_transformation: z.boolean().optional().meta({
    description: 'Only false: export the ONNX file with its state as inputs and outputs, for one step.',
  }),
  states: z
    .array(
      strictObject({
        input: z.string().min(1).meta({ description: 'Input that takes the state. Required.' }),
        output: z.string().min(1).meta({ description: 'Output that it comes from. Required.' }),
        initial_file: z.string().min(1).optional().meta({
          description:
            "Raw bytes of a sequence's first state, relative to the configuration file's folder. Default zeros.",
        }),
      }),
    )
    .min(1)
    .optional()
    .meta({
      description:
        'Of a stateful model: outputs that are inputs of the next request of the sequence, as `{"input": …, "output": …, "initial_file": …}`. Clients neither send nor get them.',
      ours: true,
    }),
  sequence_idle_timeout_ms: timer.min(1).optional().meta({
    description: 'A sequence without any request for so long has ended. Default 300000.',
    unit: 'milliseconds',
    ours: true,
  }),
};

/** What only a model may say. */
const modelKeys = {
  ...ownModelKeys,
  ...statefulKeys,
  model_version_policy: versionPolicy.optional().meta({
    description:
      'Which numbered sub-folders are served. Default the highest; the highest served is the default version.',
  }),
  target_device: z.string().optional().meta({
    description: 'CPU, GPU (CUDA, else CPU), AUTO, or a list as AUTO:GPU,CPU. Default CPU.',
  }),
  plugin_config: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .meta({
      description:
        'OpenVINO settings: INFERENCE_NUM_THREADS (over NUM_STREAMS), of which docs/models.md says more; hints such as PERFORMANCE_HINT change nothing.',
    }),
  nireq: z.int().min(0).optional().meta({
    description:
      'Accepted: each host runs one inference of the model at once; the option hosts says how many there are.',
  }),
  shape: z.unknown().optional().meta({ description: 'Only `auto`: the shapes are those of the ONNX file.' }),
  layout: z.unknown().optional().meta({ description: 'Refused: transpose in the ONNX file.' }),
  batch_size: z.union([z.int(), z.string()]).optional().meta({ description: 'Only `auto` or 0.' }),
  allow_cache: z.boolean().optional().meta({ description: 'Accepted; changes nothing.' }),
  custom_loader_options: z.unknown().optional().meta({ description: 'Refused.' }),
  run_deadline_ms: timer.optional().meta({
    description: 'Longest run; past it the host is replaced. 0: none. Default: the option run_deadline_ms.',
    unit: 'milliseconds',
    ours: true,
  }),
};

/** An entry of `mediapipe_config_list`. */
export const graphEntrySchema = strictObject({
  name,
  base_path: basePath.optional(),
  graph_path: graphPath.optional(),
  subconfig: subconfig.optional(),
  ...ownKeys,
  ...graphKeys,
});

/** `config` in an entry of `model_config_list`: a model, or a graph where the graph's file exists. */
export const modelEntrySchema = strictObject({
  name,
  base_path: basePath.optional(),
  graph_path: graphPath.optional(),
  subconfig: subconfig.optional(),
  ...modelKeys,
  ...ownKeys,
  ...graphKeys,
});

/** An entry of `runtimes`. */
export const runtimeEntrySchema = strictObject({
  name,
  implementation: z
    .string()
    .regex(/^[^#]+(#.+)?$/, { error: '"./file.js", "./file.js#export" or "./file.py#Class" expected' })
    .meta({
      description:
        "Module with the runtime, relative to the configuration file's folder; `#name` picks an export other than the default one. Of a Python file (`./text_model.py#TextModel`) it names the class, an MLServer `MLModel`. Required.",
    }),
  parameters: z.record(z.string(), z.unknown()).optional().meta({ description: 'What the runtime gets as its own.' }),
  max_sessions: maxSessions,
  isolation: z.enum(['own', 'shared']).optional().meta({
    description:
      '`own` (default): a host process of its own. `shared`: in the same hosts as graphs and models, which run no Python.',
  }),
  instances: z.int().min(1).max(1024).optional().meta({
    description:
      'How many host processes of its own load the runtime, each with one instance; streams and calls go to the one with the fewest. Default 1.',
  }),
  load_timeout_ms: timer.optional().meta({
    description:
      'Longest import of its module together with its `load`. One that takes longer leaves it unavailable. 0: none. Default 600000.',
    unit: 'milliseconds',
  }),
  call_deadline_ms: timer.optional().meta({
    description:
      'Longest call of its code without a response; waiting for the client does not count. 0 (default): none.',
    unit: 'milliseconds',
  }),
});

/** The file itself. */
export const ovmsFileSchema = strictObject({
  model_config_list: z.array(z.unknown()).optional().meta({ description: 'Models, and graphs, as `{"config": {…}}`.' }),
  mediapipe_config_list: z.array(z.unknown()).optional().meta({ description: 'Graphs.' }),
  runtimes: z.array(z.unknown()).optional().meta({ description: "Users' modules.", ours: true }),
  calculators: z.array(z.string().min(1)).optional().meta({
    description:
      "Users' modules whose exports include calculators made with defineCalculator or status handlers made with defineStatusHandler, relative to the configuration file's folder; the graphs of the file may name them.",
    ours: true,
  }),
  server: z.unknown().optional().meta({ description: 'Settings of the server; see the options above.', ours: true }),
  roboflow_caches: z.array(z.string().min(1)).optional().meta({
    description:
      "Folders with detection models as Roboflow's clients keep them, `<project>/<version>/weights.onnx` with what belongs to it, relative to the configuration file's folder; the project is the servable's name.",
    ours: true,
  }),
  pipelines: z.unknown().optional().meta({
    description:
      'Video pipelines: what they may open, models by other names, which run from the start; see docs/pipelines.md.',
    ours: true,
  }),
  monitoring: strictObject({
    metrics: strictObject({ enable: z.boolean(), metrics_list: z.array(z.string()).optional() }),
  })
    .optional()
    .meta({ description: '`metrics.enable` is the option metrics_enable; every metric is served, whatever the list.' }),
  pipeline_config_list: z.array(z.unknown()).optional().meta({
    description:
      "OVMS's pipelines of models: each is served as an ensemble. Custom nodes and demultiplexing are refused: write a graph.",
  }),
  custom_loader_config_list: z.array(z.unknown()).optional().meta({ description: 'Refused unless empty.' }),
  custom_node_library_config_list: z.array(z.unknown()).optional().meta({ description: 'Refused unless empty.' }),
});

export type GraphEntry = z.infer<typeof graphEntrySchema>;
export type ModelEntry = z.infer<typeof modelEntrySchema>;
export type RuntimeEntry = z.infer<typeof runtimeEntrySchema>;
export type BatchingEntry = NonNullable<ModelEntry['batching']>;
export type VersionPolicy = z.infer<typeof versionPolicy>;

/** Keys of an entry that make no sense where the entry is a graph. */
export const MODEL_ONLY_KEYS = Object.keys(modelKeys) as readonly (keyof typeof modelKeys)[];
/** Keys of an entry that make no sense where the entry is a model. */
export const GRAPH_ONLY_KEYS = [...Object.keys(graphKeys), 'graph_path', 'subconfig'] as readonly (keyof GraphEntry)[];
