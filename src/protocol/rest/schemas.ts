import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DATATYPES } from '../../tensor/datatype.ts';
import type { ServableRef } from '../wire/json-request.ts';

/** Paths of a servable: its default version, and one by number. */
export const MODEL_PATHS = ['/v2/models/:model', '/v2/models/:model/versions/:version'] as const;

/** What the path of a request names; percent-decoded. */
export function modelOf(request: FastifyRequest): ServableRef {
  const { model, version } = request.params as { readonly model: string; readonly version?: string };
  return { servable: model, version: version ?? '' };
}

const datatype = z.enum(DATATYPES as readonly [string, ...string[]]);
const parameters = z
  .record(z.string(), z.union([z.boolean(), z.number(), z.string()]))
  .describe('Booleans, integers (int64), numbers and strings.');
const data = z
  .array(z.unknown())
  .describe(
    'Elements, flat or nested row-major. FP16 and BF16 only with the binary extension; NaN and Infinity as such.',
  );

/** Documents what `protocol/wire` reads: tensor data never passes a schema library. */
export const InferRequest = z.object({
  id: z.string().optional(),
  parameters: parameters.optional(),
  inputs: z.array(
    z.object({
      name: z.string(),
      shape: z.array(z.int().min(0)),
      datatype,
      parameters: parameters.optional().describe('`binary_data_size` instead of `data`: the bytes follow the JSON.'),
      data: data.optional(),
    }),
  ),
  outputs: z
    .array(z.object({ name: z.string(), parameters: parameters.optional() }))
    .optional()
    .describe('The outputs wanted, in this order; none: all. `binary_data`: answer with its bytes after the JSON.'),
});

export const InferResponse = z.object({
  id: z.string().optional(),
  model_name: z.string(),
  model_version: z.string(),
  parameters: parameters.optional(),
  outputs: z.array(
    z.object({
      name: z.string(),
      datatype,
      shape: z.array(z.int()),
      parameters: parameters.optional(),
      data: data.optional(),
    }),
  ),
});

export const GenerateRequest = z
  .looseObject({ id: z.string().optional(), parameters: z.looseObject({}).optional() })
  .describe('One key per input (a scalar or an array); other keys are request parameters. Or an InferRequest.');

export const GenerateResponse = z
  .looseObject({ id: z.string().optional(), model_name: z.string(), model_version: z.string() })
  .describe('One key per output: a scalar for one element, else a flat array. For an InferRequest, an InferResponse.');

export const ServerMetadata = z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) });

const tensorMetadata = z.object({
  name: z.string(),
  datatype,
  shape: z.array(z.int()).describe('-1 is a dimension of any size.'),
});

export const ModelMetadata = z.object({
  name: z.string(),
  versions: z.array(z.string()),
  platform: z.string(),
  inputs: z.array(tensorMetadata),
  outputs: z.array(tensorMetadata),
});

const portName = { tag: z.string(), index: z.int(), name: z.string() };
const graphPort = z.object({ ...portName, type: z.string().describe('Packet type, for people.') });
const sidePacket = z.object({ ...portName, type: z.string(), optional: z.boolean() });

/** A graph after validation. Names are those of graph files. */
export const Graph = z.object({
  type: z.string().describe('The name under which it serves as a subgraph; empty if it has none.'),
  input_streams: z.array(graphPort),
  output_streams: z.array(graphPort),
  input_side_packets: z.array(z.object({ name: z.string(), type: z.string(), optional: z.boolean() })),
  nodes: z
    .array(
      z.object({
        name: z.string(),
        calculator: z.string(),
        input_streams: z.array(z.object({ ...portName, back_edge: z.boolean() })),
        output_streams: z.array(z.object(portName)),
        input_side_packets: z.array(sidePacket),
        output_side_packets: z.array(sidePacket),
        input_policy: z.string(),
        timestamp_offset: z.int().nullable().describe("Null: outputs' bounds follow their packets only."),
        source_layer: z.int(),
        order: z.int().describe('Place in topological order, from 0.'),
        options: z.unknown().describe('As they are in force, defaults included.'),
      }),
    )
    .describe('After the expansion of subgraphs.'),
  streams: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      producer: z.string().nullable().describe('A node; null: an input of the graph.'),
      consumers: z.array(z.string()),
    }),
  ),
  max_queue_size: z.int().describe('Packets per input queue before what feeds it waits; -1: no limit.'),
  report_deadlock: z.boolean(),
});

export const ModelList = z.object({ models: z.array(z.string()) });

export const ModelConfig = z.looseObject({ name: z.string(), platform: z.string(), max_batch_size: z.int() });

const duration = z.object({ count: z.int(), ns: z.int() });

export const ModelStats = z.object({
  model_stats: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      last_inference: z.int().describe('Milliseconds since the epoch; 0 if none yet.'),
      inference_count: z.int(),
      execution_count: z.int(),
      inference_stats: z.record(z.string(), duration),
      response_stats: z.record(z.string(), z.unknown()),
      batch_stats: z.array(z.unknown()),
      memory_usage: z.array(z.unknown()),
    }),
  ),
});

export const IndexRequest = z.strictObject({
  ready: z.boolean().optional().describe('Only those that are ready.'),
});

export const RepositoryIndex = z.array(
  z.object({
    name: z.string(),
    version: z.string(),
    state: z.enum(['READY', 'UNAVAILABLE', 'LOADING']),
    reason: z.string(),
  }),
);

export const ConfigStatus = z.record(
  z.string(),
  z.object({
    model_version_status: z.array(
      z.object({
        version: z.string(),
        state: z.enum(['AVAILABLE', 'LOADING', 'END']),
        status: z.object({ error_code: z.string(), error_message: z.string() }),
      }),
    ),
  }),
);

const Failure = z.object({
  error: z.string().describe('What happened, with what was expected.'),
  reason: z.string().describe('A stable name for programs.'),
});

/** A zod schema as fastify and OpenAPI 3.1 take it. */
export function jsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema);
  return rest;
}

/** The responses that every route may give. */
export const failures = {
  '4xx': { description: 'The request is at fault.', ...jsonSchema(Failure) },
  '5xx': { description: 'The server is at fault, or not ready.', ...jsonSchema(Failure) },
};
