import { z } from 'zod';
import { LOGIN_FAULT, loginOf } from '../../media/sinks/results/login.ts';
import type { WorkflowPlan } from './workflow/plan.ts';

/** One schema for everything that describes a pipeline: the API, the configuration, what is kept on disk, and OpenAPI. */

const port = z.int().min(1).max(65_535);
const reference = z
  .union([z.string().min(1), z.int().min(0)])
  .meta({ description: 'A file, URL, or number of a camera, as the server sees it.' });

/** An address of results, whose user and password can be decoded. */
function sinkUrl(protocol: RegExp) {
  return z.url({ protocol }).refine(hasLogin, { error: LOGIN_FAULT });
}

function hasLogin(url: string): boolean {
  if (!URL.canParse(url)) return true; // which is told of already
  try {
    loginOf(new URL(url));
    return true;
  } catch {
    return false;
  }
}

/** What HTTP allows (RFC 9110, 5.1 and 5.5). */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** A fault names the header and not its value, which may be a secret. */
const headers = z.record(z.string(), z.string()).superRefine((given, context) => {
  for (const [name, value] of Object.entries(given)) {
    const isName = HEADER_NAME.test(name);
    if (isName && HEADER_VALUE.test(value)) continue;
    const fault = isName ? 'has characters that no header can have' : 'is no name of a header';
    context.addIssue({ code: 'custom', message: `${JSON.stringify(name)} ${fault}` });
  }
});

const properties = z.record(z.string(), z.union([z.number(), z.string()]));

export const FILLING = ['WAIT', 'DROP_OLDEST', 'ADAPTIVE_DROP_OLDEST', 'DROP_LATEST', 'ADAPTIVE_DROP_LATEST'] as const;
export const CONSUMPTION = ['LAZY', 'EAGER'] as const;

/** How ADAPTIVE_… strategies decide; names and defaults are those of Roboflow's video source (sheet §3). */
export const adaptiveSchema = z.strictObject({
  adaptive_mode_stream_pace_tolerance: z.number().min(0).optional().meta({
    description: 'By how many frames a second a source may come behind what it declares. Default 0.1.',
  }),
  adaptive_mode_reader_pace_tolerance: z.number().min(0).optional().meta({
    description: 'By how many frames a second inference may be behind what is kept. Default 5.',
  }),
  minimum_adaptive_mode_samples: z.int().min(1).max(10_000).optional().meta({
    description: 'Frames before which nothing is decided; paces are of ten times as many. Default 10.',
  }),
  maximum_adaptive_frames_dropped_in_row: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'After so many one passes. Default 16.' }),
  backpressure: z.boolean().optional().meta({
    description:
      'Paces do not count: a frame is dropped only where the buffer is full. Default: false for a strategy that is asked for, true for live sources without one.',
  }),
});

export const modelConfigurationSchema = z.strictObject({
  confidence: z.number().optional().meta({ description: 'Lowest score that is kept. Default 0.4.' }),
  iou_threshold: z.number().optional().meta({ description: 'Overlap above which the worse box goes. Default 0.3.' }),
  class_agnostic_nms: z.boolean().optional().meta({ description: 'Boxes of other classes count too. Default false.' }),
  max_detections: z.int().min(0).optional().meta({ description: 'The best ones kept per frame. Default 300.' }),
  max_candidates: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Boxes looked at, the best first; without effect where nms is roboflow. Default 3000.' }),
  nms: z.enum(['iou', 'roboflow']).optional().meta({
    description:
      "Overlap: intersection over union, or Roboflow's, which is over the area of the lower-scored box, with one pixel added to each side. Default iou; roboflow for pipelines made through Roboflow's API.",
  }),
});

const queueSize = z
  .int()
  .min(1)
  .max(100_000)
  .default(256)
  .meta({ description: 'Results that may wait; more drop the oldest.' });

const udpSink = z
  .strictObject({
    type: z.literal('udp'),
    host: z.string().min(1),
    port: z.union([port, z.int()]),
    /** Roboflow's form: no fields of ours. */
    plain: z.boolean().default(false).meta({ description: "Without our own field millrace, as Roboflow's." }),
    when_too_long: z.enum(['split', 'truncate']).default('split').meta({
      description: 'What becomes of more than a datagram holds: several datagrams, or the best detections only.',
    }),
    queue_size: queueSize,
  })
  .meta({ description: 'One JSON datagram per frame.' });

const memorySink = z
  .strictObject({
    type: z.literal('memory'),
    results_buffer_size: z.int().min(1).max(100_000).default(64),
    queue_size: queueSize,
  })
  .meta({ description: 'The last results wait to be consumed over HTTP or TCP.' });

const jsonLinesSink = z
  .strictObject({ type: z.literal('json_lines'), path: z.string().min(1), queue_size: queueSize })
  .meta({ description: 'One line of JSON per frame, appended to a file.' });

const webhookSink = z
  .strictObject({
    type: z.literal('webhook'),
    url: sinkUrl(/^https?$/),
    secret: z.string().min(1).optional().meta({ description: 'Signs bodies: X-Millrace-Signature: sha256=<HMAC>.' }),
    headers: headers.optional(),
    retries: z.int().min(0).max(20).default(3),
    timeout_ms: z.int().min(1).max(600_000).default(5000),
    only_detections: z.boolean().default(false).meta({ description: 'Nothing is sent of frames without detections.' }),
    queue_size: queueSize,
  })
  .meta({ description: 'One POST per frame.' });

const mqttSink = z
  .strictObject({
    type: z.literal('mqtt'),
    url: sinkUrl(/^(mqtts?|wss?)$/).meta({ description: 'mqtt://user:password@host:1883' }),
    topic: z.string().min(1),
    qos: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(0),
    retain: z.boolean().default(false),
    queue_size: queueSize,
  })
  .meta({ description: 'One message per frame.' });

const websocketSink = z
  .strictObject({
    type: z.literal('websocket'),
    url: sinkUrl(/^wss?$/),
    queue_size: queueSize,
  })
  .meta({ description: 'One message per frame to a WebSocket server, connected again when it is lost.' });

const videoSink = z
  .strictObject({
    type: z.enum(['video_file', 'rtsp']),
    /** Of `video_file`, a path; of `rtsp`, where it is published. */
    target: z.string().min(1),
    source_id: z.int().min(0).default(0),
    annotate: z.boolean().default(true).meta({ description: 'Boxes and labels are drawn.' }),
    queue_size: z.int().min(1).max(1000).default(8),
  })
  .meta({ description: 'The frames of one source as a video file or an RTSP stream.' });

export const sinkSchema = z.discriminatedUnion('type', [
  udpSink,
  memorySink,
  jsonLinesSink,
  webhookSink,
  mqttSink,
  websocketSink,
  videoSink,
]);

export const pipelineIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, { error: 'letters, digits, "_", "." and "-" expected, at most 128' });

export const pipelineSchema = z.strictObject({
  id: pipelineIdSchema.optional().meta({ description: 'Default: a UUID.' }),
  name: z.string().max(200).optional().meta({ description: 'For people.' }),
  video_reference: z
    .union([reference, z.array(reference).min(1).max(64)])
    .meta({ description: 'One source, or several whose frames are taken together.' }),
  model_id: z.string().min(1).meta({ description: 'A servable, or an alias from the configuration.' }),
  version: z.string().default('').meta({ description: 'Of the servable. Default: the newest.' }),
  model_configuration: modelConfigurationSchema.default({}),
  class_names: z.array(z.string()).optional().meta({ description: 'Names by class id.' }),
  max_fps: z.number().nullable().optional().meta({
    description: 'Most batches a second, over the number of sources. A live source drops the rest, files wait.',
  }),
  source_buffer_filling_strategy: z.enum(FILLING).optional().meta({
    description:
      'What becomes of a frame that the buffer has no room for; ADAPTIVE_… drop by paces too. Default: WAIT for files; else the oldest goes.',
  }),
  source_buffer_consumption_strategy: z
    .enum(CONSUMPTION)
    .optional()
    .meta({ description: 'Default: LAZY for files, else EAGER.' }),
  buffer_size: z.int().min(1).max(1024).optional().meta({
    description: 'Frames that wait per source. Default: `pipelines.sources.buffer_size`, or 2 where EAGER, else 8.',
  }),
  adaptive: adaptiveSchema.optional().meta({ description: 'Of ADAPTIVE_… strategies.' }),
  batch_collection_timeout: z.number().min(0).optional().meta({
    description: 'Seconds after which a batch goes without the sources that have no frame yet. Default: no limit.',
    unit: 'seconds',
  }),
  video_source_properties: z
    .union([properties, z.array(properties.nullable())])
    .optional()
    .meta({
      description: 'frame_width and frame_height scale what is decoded, for all sources or each.',
    }),
  sinks: z.array(sinkSchema).max(32).default([]),
  realtime: z.boolean().default(false).meta({ description: 'Files come at the pace of their times.' }),
  max_reconnects: z.int().min(0).optional().meta({ description: 'Tries in a row. Default: without end.' }),
  connect_timeout_ms: z.int().min(100).max(600_000).optional(),
  stall_timeout_ms: z
    .int()
    .min(100)
    .max(600_000)
    .optional()
    .meta({ description: 'Without a frame for so long it is connected anew.' }),
  consumption_timeout: z.number().min(0).optional().meta({
    description: 'Seconds without a reader of the memory sink after which the pipeline ends.',
    unit: 'seconds',
  }),
  persist: z.boolean().default(false).meta({ description: 'It starts again when the server does.' }),
});

/** What is asked for; a workflow only through Roboflow's API. */
export type PipelineRequest = z.infer<typeof pipelineSchema> & { readonly workflow?: WorkflowPlan | undefined };
export type AdaptiveSettings = z.infer<typeof adaptiveSchema>;
export type ModelConfiguration = z.infer<typeof modelConfigurationSchema>;
export type SinkSpec = z.infer<typeof sinkSchema>;

/** What may change while a pipeline runs. */
export const pipelinePatchSchema = z.strictObject({
  model_configuration: modelConfigurationSchema.optional(),
  max_fps: z.number().nullable().optional(),
});

/** The sources, in order. */
export function referencesOf({ video_reference: given }: Pick<PipelineRequest, 'video_reference'>): string[] {
  return (Array.isArray(given) ? given : [given]).map(String);
}
