import { z } from 'zod';
import { usableProcessors } from '../base/processors.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const port = z.int().min(0).max(65_535);
/** A timer above 2^31 − 1 ms fires at once. */
const MAX_SECONDS = 2_147_483;
const seconds = z.number().min(0).max(MAX_SECONDS);
/** 0: none. What a timer can wait for at most. */
const limit = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)
  .default(0);
/** Whole numbers up to 2^53. */
const count = z.int().min(1);

/** Where the servables come from. Not in the file's `server` section: these say which file, or that there is none. */
const source = {
  config_path: z.string().min(1).optional().meta({
    description:
      "OVMS's config.json, or one with Millrace's keys. Without it and without model_path the graphs that come with Millrace are served.",
    unit: 'file',
    fileless: true,
  }),
  model_repository: z.array(z.string().min(1)).optional().meta({
    description:
      "Triton's model repository: a folder with a folder for each model, its config.pbtxt and versions. May be given several times. Excludes config_path and model_path.",
    unit: 'folders',
    fileless: true,
  }),
  model_control_mode: z.enum(['none', 'poll', 'explicit']).default('poll').meta({
    description:
      'none (as in Triton): servables load at the start, files are not watched, and clients may neither load nor unload. poll: servables load at the start and when their files change, and clients may load and unload them. explicit (as in Triton): those of load_model load at the start, others when a client asks; files are not watched, and with model_repository a load may bring a configuration and files of its own.',
    fileless: true,
  }),
  load_model: z.array(z.string().min(1)).default([]).meta({
    description:
      'With model_control_mode explicit: names that load at the start; * is all. May be given several times.',
    unit: 'names',
    fileless: true,
  }),
  model_name: z.string().min(1).optional().meta({
    description: 'Name of the one servable at model_path. Excludes config_path.',
    fileless: true,
  }),
  model_path: z.string().min(1).optional().meta({
    description:
      'A model file, a folder with one or of numbered versions, or a folder with graph.pbtxt. Excludes config_path.',
    unit: 'path',
    fileless: true,
  }),
  target_device: z.string().min(1).optional().meta({
    description: 'Where the model at model_path runs: CPU, GPU (then CPU), AUTO, AUTO:GPU,CPU.',
    fileless: true,
  }),
  plugin_config: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .meta({
      description: "OpenVINO's settings for the model at model_path, as JSON: NUM_STREAMS, INFERENCE_NUM_THREADS.",
      unit: 'JSON object',
      fileless: true,
    }),
  nireq: z.int().min(0).optional().meta({
    description: 'Inferences at once of the model at model_path; 0 is automatic.',
    unit: 'inferences',
    fileless: true,
  }),
};

const listening = {
  port: port.default(9000).meta({ description: 'gRPC port; 0 takes any free one.', unit: 'TCP port' }),
  rest_port: port
    .default(8080)
    .meta({ description: 'REST and /metrics port; 0 takes any free one.', unit: 'TCP port' }),
  mlserver_port: port.optional().meta({
    description:
      "gRPC port in MLServer's dialect, whose streams answer with plain ModelInferResponse; 0 takes any free one.",
    unit: 'TCP port',
    defaultText: 'none; 8081 with millrace start',
  }),
  metrics_port: port.optional().meta({
    description: 'Port of the metrics alone, which are at rest_port, too; 0 takes any free one.',
    unit: 'TCP port',
    defaultText: 'none; 8082 with millrace start',
  }),
  grpc_bind_address: z.string().min(1).default('127.0.0.1').meta({
    description: 'Address that gRPC listens on; 0.0.0.0 and :: are all of them.',
    unit: 'IP address or host name',
  }),
  rest_bind_address: z.string().min(1).default('127.0.0.1').meta({
    description: 'Address that REST listens on; 0.0.0.0 and :: are all of them.',
    unit: 'IP address or host name',
  }),
  allowed_origins: z.array(z.string().min(1)).default([]).meta({
    description: 'Origins whose pages in a browser may call REST (CORS), separated by commas; * is any.',
    unit: 'origins',
  }),
  strict: z.boolean().default(false).meta({
    description:
      'Refuse to start, with exit code 1, where Millrace would only warn: when a servable does not load, and when a port is open to others without protection.',
  }),
};

const hosts = {
  hosts: z
    .int()
    .min(0)
    .max(1024)
    .default(() => usableProcessors())
    .meta({
      description:
        'Host processes, which run the servables; 0 runs them in the server itself (debugging). The limit of a container counts as its cores.',
      unit: 'processes',
      defaultText: 'one per core',
    }),
  run_deadline_ms: z
    .int()
    .min(0)
    .max(MAX_SECONDS * 1000)
    .default(0)
    .meta({
      description:
        'Longest run of a model; a host past it is killed and replaced. 0: none. A model may set its own in the file.',
      unit: 'milliseconds',
    }),
  pipeline_run_deadline_ms: z
    .int()
    .min(0)
    .max(MAX_SECONDS * 1000)
    .default(60_000)
    .meta({
      description:
        'The same in hosts where video pipelines run, for models that have no run deadline; two minutes at least for the first run of a host. 0: none.',
      unit: 'milliseconds',
    }),
  python: z.string().min(1).optional().meta({
    description:
      "Interpreter that runs runtimes written in Python, where a model's settings name no environment; a path, or a name to look up.",
    unit: 'program',
    defaultText: 'python3, or python',
  }),
  host_heartbeat_s: z.number().min(0.1).max(MAX_SECONDS).default(5).meta({
    description:
      'Longest silence of a host outside a model run before it is taken for hung and replaced; two minutes while it starts or loads.',
    unit: 'seconds',
  }),
};

const limits = {
  grpc_max_message_bytes: count.default(GIB).meta({ description: 'Largest gRPC message, either way.', unit: 'bytes' }),
  rest_max_json_bytes: count.default(64 * MIB).meta({
    description: 'Largest REST body without binary data, or JSON part of one with binary data.',
    unit: 'bytes',
  }),
  rest_max_binary_bytes: count.default(GIB).meta({
    description: 'Largest REST body with binary tensor data.',
    unit: 'bytes',
  }),
  max_sessions: count.default(10_000).meta({
    description: 'Sessions (open streams) of all servables; one more is refused.',
    unit: 'sessions',
  }),
  stream_look_ahead: z.int().min(1).max(64).default(1).meta({
    description:
      "Responses that a runtime's stream may make before its client has read those before. It grows to 64 while the client reads at once.",
  }),
  max_session_bytes: count.default(64 * MIB).meta({
    description: 'Waiting requests of one stream, and its responses not yet sent: above it the stream is throttled.',
    unit: 'bytes',
  }),
  max_requests_in_flight: count.default(4096).meta({
    description: 'Unary requests being served or waiting; one more is refused.',
    unit: 'requests',
  }),
  max_bytes_in_flight: count.default(2 * GIB).meta({
    description: 'Tensor data of all unary requests in flight; more is refused.',
    unit: 'bytes',
  }),
  session_idle_timeout_ms: limit.meta({
    description: 'A stream without requests and responses for so long is ended; 0: never. A graph may set its own.',
    unit: 'milliseconds',
  }),
  session_max_duration_ms: limit.meta({
    description: 'A stream is ended when it has been open for so long; 0: never. A graph may set its own.',
    unit: 'milliseconds',
  }),
  max_in_flight_requests: limit.meta({
    description:
      "Requests of one graph's stream whose outputs are still to come; one more is refused, the stream goes on. 0: no limit. A graph may set its own.",
    unit: 'requests',
  }),
  max_queued_packets: limit.meta({
    description:
      "Packets that wait in one graph's stream; a request that would add to them is refused, the stream goes on. 0: no limit. A graph may set its own.",
    unit: 'packets',
  }),
};

const security = {
  tls_cert: z.string().min(1).optional().meta({
    description:
      "The server's certificate and those that lead to its authority, PEM; with tls_key. Read again when the file changes.",
    unit: 'file',
  }),
  tls_key: z.string().min(1).optional().meta({
    description: 'The key of tls_cert, PEM, without a passphrase.',
    unit: 'file',
  }),
  tls_client_ca: z.string().min(1).optional().meta({
    description: 'Authorities of clients, PEM: every client must show a certificate of one of them (mTLS).',
    unit: 'file',
  }),
  tls_listeners: z
    .array(z.enum(['grpc', 'rest', 'metrics', 'stream_manager']))
    .default(['grpc', 'rest', 'metrics', 'stream_manager'])
    .meta({
      description:
        'Which ports tls_cert is for: grpc (port and mlserver_port), rest (rest_port, stream_api_port), metrics (metrics_port), stream_manager (stream_manager_port). The others are plain.',
      unit: 'listeners',
    }),
  token_file: z.string().min(1).optional().meta({
    description:
      'Tokens, made with millrace token: every call but health needs one. Read again when it changes. Without it everybody may do everything.',
    unit: 'file',
  }),
};

const operation = {
  shutdown_grace_s: seconds.default(30).meta({
    description: 'On SIGTERM, how long running requests and streams may take to end before they are aborted.',
    unit: 'seconds',
  }),
  file_system_poll_wait_seconds: seconds.default(1).meta({
    description:
      "How often the configuration and the servables' files are looked at for changes; 0: never. Certificates and tokens too, each second where it is 0.",
    unit: 'seconds',
  }),
  log_level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .meta({
      description: 'Least severe messages that are logged (JSON lines on stdout). Any case; WARNING is warn.',
      synonyms: { warning: 'warn' },
    }),
  cache_config: z
    .string()
    .regex(/^local,size=[1-9]\d{0,15}$/)
    .optional()
    .meta({
      description:
        'Room for remembered responses of models whose config.pbtxt says response_cache { enable: true }, as Triton has it: local,size=BYTES.',
      unit: 'local,size=BYTES',
      defaultText: 'none: no response is remembered',
    }),
  rate_limit: z.enum(['off', 'execution_count']).default('off').meta({
    description:
      "execution_count: runs of models whose config.pbtxt has a rate_limiter wait until the resources that it names are free, and get turns by its priority (Triton's rate limiter).",
  }),
  rate_limit_resource: z
    .array(z.string().regex(/^[^:]+:[1-9]\d{0,8}(:\d+)?$/))
    .default([])
    .meta({
      description:
        'With rate_limit execution_count: how much there is of a resource, as NAME:COUNT; a device after it (NAME:COUNT:DEVICE) makes no difference. Of one that is not named: as much as the greediest model needs. May be given several times.',
      unit: 'NAME:COUNT',
    }),
  shared_memory: z.boolean().default(false).meta({
    description:
      "Let clients on this machine name POSIX shared memory to read tensors from and write them to (Triton's system shared memory; Linux only). Whoever may register regions reads and writes what the server's user may.",
  }),
  metrics_enable: z.boolean().default(true).meta({ description: 'Serve Prometheus metrics at /metrics on rest_port.' }),
};

const streams = {
  stream_manager_port: port.optional().meta({
    description:
      "Port of Roboflow's stream manager protocol, which their API and clients speak on 7070; 0 takes any free one. docs/pipelines.md says which of their environment variables count too.",
    unit: 'TCP port',
    defaultText: 'none',
  }),
  stream_manager_bind_address: z.string().min(1).default('127.0.0.1').meta({
    description: 'Address that the stream manager listens on; 0.0.0.0 and :: are all of them.',
    unit: 'IP address or host name',
  }),
  stream_manager_timeout_s: z.number().min(0.1).max(3600).default(5).meta({
    description: 'How long a client of the stream manager may take for its whole request.',
    unit: 'seconds',
  }),
  stream_manager_max_bytes: count
    .max(2 ** 32 - 1)
    .default(MIB)
    .meta({
      description: 'Largest request to the stream manager.',
      unit: 'bytes',
    }),
  stream_api_port: port.optional().meta({
    description:
      "Another port of REST, for clients that expect Roboflow's inference server on 9001; 0 takes any free one.",
    unit: 'TCP port',
    defaultText: 'none',
  }),
  pipelines_folder: z.string().min(1).optional().meta({
    description:
      'Folder in which pipelines that say `persist` are kept, one file each; they start again with the server.',
    unit: 'file',
    defaultText: 'none: pipelines cannot persist',
  }),
};

/** The options by the headings that help and documentation show them under. */
export const OPTION_GROUPS = {
  'What is served': source,
  Listening: listening,
  Hosts: hosts,
  Limits: limits,
  Security: security,
  'Video pipelines': streams,
  Operation: operation,
} as const;

/** Every option of the server, once: types, validation, `--help` and `docs/config.md` derive from it. */
export const settingsSchema = z.strictObject({
  ...source,
  ...listening,
  ...hosts,
  ...limits,
  ...security,
  ...streams,
  ...operation,
});

/** Settings under the names that files, environment and flags use. */
export type NamedSettings = z.infer<typeof settingsSchema>;

export type OptionName = keyof NamedSettings;

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** The resolved settings of a server; frozen. Units are in the names and in `settingsSchema`. */
export type Settings = {
  readonly [Name in OptionName as CamelCase<Name>]: NamedSettings[Name];
};

/** `settings` under the names that code uses. */
export function toSettings(settings: NamedSettings): Settings {
  const renamed = Object.entries(settings).map(([name, value]) => [
    name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.freeze(Object.fromEntries(renamed)) as Settings;
}

/** Settings for tests and embedding: the defaults with `changes`. */
export function defaultSettings(changes: Partial<Settings> = {}): Settings {
  return Object.freeze({ ...toSettings(settingsSchema.parse({})), ...changes });
}

/** How much there is of each resource that runs of models share; undefined: runs wait for none. */
export function sharedResources({ rateLimit, rateLimitResource }: Settings): ReadonlyMap<string, number> | undefined {
  if (rateLimit === 'off') return undefined;
  return new Map(
    rateLimitResource.map((text) => {
      const [name = '', count] = text.split(':');
      return [name, Number(count)];
    }),
  );
}

/** What one session may take, for all servables that do not say otherwise. */
export function sessionQuota(settings: Settings) {
  return {
    idleTimeoutMs: settings.sessionIdleTimeoutMs,
    maxDurationMs: settings.sessionMaxDurationMs,
    maxInFlightRequests: settings.maxInFlightRequests,
    maxQueuedPackets: settings.maxQueuedPackets,
  };
}
