import { z } from 'zod';
import { MillraceError } from '../base/errors.ts';
import { describeIssues, strictObject } from '../base/schema-issues.ts';
import { adaptiveSchema, pipelineIdSchema, pipelineSchema } from './common/pipeline-schema.ts';

const modelEntry = strictObject({
  servable: z.string().min(1).meta({ description: 'Name of the servable.' }),
  version: z.string().default('').meta({ description: 'Default: the newest.' }),
  class_names: z.array(z.string()).optional().meta({ description: 'Names by class id.' }),
});

export const DEFAULT_SCHEMES = ['file', 'camera', 'rtsp', 'rtsps', 'http', 'https', 'rtmp', 'rtmps', 'srt'] as const;

const allow = strictObject({
  schemes: z
    .array(z.string().min(1))
    .default([...DEFAULT_SCHEMES])
    .meta({
      description:
        'Of video references. `file` are paths, `camera` device numbers, `lavfi` pictures that ffmpeg makes.',
    }),
  hosts: z
    .array(z.string().min(1))
    .default(['*'])
    .meta({ description: 'Of video references: names and addresses, `*.factory.local`, or `*` for all.' }),
  folders: z
    .array(z.string().min(1))
    .default(['/'])
    .meta({ description: "Of video files; relative to the configuration file's folder." }),
  sink_hosts: z.array(z.string().min(1)).default(['*']).meta({ description: 'That results and streams are sent to.' }),
  sink_folders: z
    .array(z.string().min(1))
    .default([])
    .meta({ description: 'That files are written into. None: pipelines write no files.' }),
});

/** What pipelines have that do not say otherwise. */
const sources = strictObject({
  buffer_size: z.int().min(1).max(1024).optional().meta({ description: 'Default: 2 frames where EAGER, else 8.' }),
  adaptive: adaptiveSchema.optional().meta({ description: 'Of ADAPTIVE_… strategies.' }),
  reconnect_delay_s: z.number().min(0).max(86_400).optional().meta({
    description: 'Between tries to connect. Default: a quarter of a second, doubled up to 5 s.',
    unit: 'seconds',
  }),
  drop_frames_of_files: z.boolean().default(false).meta({
    description: 'With `max_fps` files lose the frames between, by their times, in place of being slowed down.',
  }),
});

/** The section `pipelines` of the configuration file. */
export const pipelinesConfigSchema = strictObject({
  models: z
    .record(z.string().min(1), modelEntry)
    .default({})
    .meta({ description: 'Servables by other names, such as `factory/3`, with the names of their classes.' }),
  allow: allow.prefault({}),
  autostart: z
    .array(pipelineSchema.extend({ id: pipelineIdSchema }))
    .default([])
    .meta({ description: 'Pipelines that run from the start, as in POST /v1/pipelines; each with an id.' }),
  sources: sources.prefault({}).meta({ description: 'Buffers of sources, where a pipeline does not say.' }),
  predictions_queue_size: z.int().min(1).max(100_000).default(256).meta({
    description: "Results that wait for a sink of a pipeline made through Roboflow's API; more drop the oldest.",
  }),
  max_pipelines: z.int().min(1).default(64).meta({ description: 'That run at once.' }),
  max_pipelines_per_token: z.int().min(1).optional().meta({ description: 'That run at once, of one token.' }),
  history_s: z
    .number()
    .min(0)
    .max(2_000_000)
    .default(3600)
    .meta({ description: 'How long a pipeline that has ended can be looked at.', unit: 'seconds' }),
  keep_failed: z.boolean().default(false).meta({
    description: "A pipeline that could not be started stays listed until it is terminated, as Roboflow's does.",
  }),
});

export type PipelinesConfig = z.infer<typeof pipelinesConfigSchema>;

/** @throws MillraceError CONFIG_INVALID naming the field */
export function parsePipelinesConfig(value: unknown): PipelinesConfig {
  const parsed = pipelinesConfigSchema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  throw new MillraceError('CONFIG_INVALID', `pipelines: ${describeIssues(parsed.error, value)}`);
}
