import { z } from 'zod';
import { amount, flag, port, refused, text, whole } from './fields.ts';

const texts = z.array(text);

const corsSchema = z.object({
  allow_origins: texts.nullish(),
  allow_origin_regex: text.nullish(),
  allow_credentials: flag.nullish(),
  allow_methods: texts.nullish(),
  allow_headers: texts.nullish(),
  expose_headers: texts.nullish(),
  max_age: whole.nullish(),
});

/**
 * MLServer's settings.json (its sheet, §3), once: validation and `docs/mlserver.md` derive from it. The descriptions say what a
 * field does here.
 */
export const serverSchema = z.object({
  debug: flag.optional().meta({ description: 'true: the log level is debug.', standard: 'false' }),
  parallel_workers: whole.pipe(z.int().min(0)).optional().meta({
    description:
      'Instances of each model, each in a host process of its own; streams and calls are spread over them. 0 is 1: a model never runs in the server process.',
    standard: '1',
  }),
  parallel_workers_timeout: amount.optional().meta({
    description: 'The option shutdown_grace_s: how long calls and streams may take to end at a stop.',
    standard: '5; here the default of shutdown_grace_s',
  }),
  environments_dir: text.optional().meta({
    description: 'Where environment tarballs are unpacked, relative to the working directory.',
    standard: '.envs',
  }),
  model_repository_implementation: refused(
    text.nullable(),
    null,
    'models are read from the folder; put their model-settings.json there, and remove this key',
  ).meta({ description: 'Models are read from the folder.', standard: 'null' }),
  model_repository_root: text.optional().meta({
    description: 'The folder with the models, where the command names none; relative to the working directory.',
    standard: '.',
  }),
  model_repository_implementation_args: refused(
    z.record(text, z.unknown()),
    {},
    'models are read from the folder; remove this key',
  ).meta({ description: 'Models are read from the folder.', standard: '{}' }),
  load_models_at_startup: flag.optional().meta({
    description: 'false: a model is loaded when a client asks for it by the repository API.',
    standard: 'true',
  }),
  server_name: text.optional().meta({ description: 'In the server metadata.', standard: 'mlserver; here millrace' }),
  server_version: text.optional().meta({ description: 'In the server metadata.', standard: 'that of the package' }),
  extensions: texts.optional().meta({ description: 'In the server metadata, beside our own.', standard: '[]' }),
  host: text.min(1).optional().meta({
    description:
      'Address of all ports. **Different:** without it only this machine can connect; set "0.0.0.0" for all, which is the default of MLServer.',
    standard: '0.0.0.0; here 127.0.0.1',
  }),
  http_port: port.optional().meta({ description: 'The option rest_port.', standard: '8080' }),
  root_path: text.optional().meta({
    description: 'Path under which a proxy shows the server; requests may come with it or without.',
    standard: '""',
  }),
  grpc_port: port.optional().meta({
    description: "The option mlserver_port: gRPC in MLServer's dialect. Triton's dialect is on the option port (9000).",
    standard: '8081',
  }),
  grpc_max_message_length: whole.nullish().meta({
    description: 'The option grpc_max_message_bytes; -1 is its default.',
    standard: 'null, which is 4 MiB there; here 1 GiB',
  }),
  cors_settings: corsSchema.nullish().meta({
    description:
      'What pages of other origins may do in a browser: allow_origins, allow_origin_regex, allow_credentials, allow_methods, allow_headers, expose_headers, max_age. The option allowed_origins takes its place.',
    standard: 'null',
  }),
  metrics_endpoint: text.nullish().meta({
    description: 'Path of the metrics, on metrics_port and on http_port; null or "" turns them off.',
    standard: '/metrics',
  }),
  metrics_port: port.optional().meta({
    description: 'The option metrics_port. The metrics are on http_port, too.',
    standard: '8082',
  }),
  metrics_rest_server_prefix: text.min(1).optional().meta({
    description: "First part of the names of MLServer's REST metrics.",
    standard: 'rest_server',
  }),
  metrics_dir: text.optional().meta({
    description: 'Not needed: instances report their metrics over their own connection, nothing is written to files.',
    standard: '.metrics',
    warn: 'no metrics are written to files, so it is not needed',
  }),
  use_structured_logging: flag.optional().meta({
    description: 'The log is JSON lines on stdout always.',
    standard: 'false',
  }),
  logging_settings: z
    .union([text, z.record(text, z.unknown())])
    .nullish()
    .meta({
      description: 'Not read (a warning says so): the log is JSON lines on stdout; use the option log_level.',
      standard: 'null',
      warn: "settings of Python's logging are not read; the log is JSON lines on stdout, use --log_level",
    }),
  kafka_enabled: refused(
    flag,
    false,
    'Kafka is not spoken; let a consumer of yours call the server by gRPC or REST',
  ).meta({ description: 'Kafka is not spoken.', standard: 'false' }),
  kafka_servers: text.optional().meta({ description: 'Nothing without kafka_enabled.', standard: 'localhost:9092' }),
  kafka_topic_input: text
    .optional()
    .meta({ description: 'Nothing without kafka_enabled.', standard: 'mlserver-input' }),
  kafka_topic_output: text
    .optional()
    .meta({ description: 'Nothing without kafka_enabled.', standard: 'mlserver-output' }),
  tracing_server: refused(
    text.nullable(),
    null,
    'traces are not exported; use the metrics, or trace in a proxy in front',
  ).meta({ description: 'Traces are not exported.', standard: 'null' }),
  cache_enabled: flag.optional().meta({
    description: 'Responses of models that say so, too, are remembered; a model that does not is always called.',
    standard: 'false',
  }),
  cache_size: whole.pipe(z.int().min(1)).optional().meta({
    description: 'Remembered responses of all models; the oldest gives way.',
    standard: '100',
  }),
  gzip_enabled: flag.optional().meta({
    description:
      'Answers of 500 bytes or more, and events, are compressed for clients that take gzip; each event is sent at once.',
    standard: 'true',
  }),
  millrace: z.record(text, z.unknown()).optional().meta({
    description:
      'Options of Millrace ([config.md](config.md)) by their names, as `{"hosts": 2}`; MLServer ignores this key.',
    standard: '{}',
    ours: true,
  }),
});

export type ServerFields = z.output<typeof serverSchema>;
