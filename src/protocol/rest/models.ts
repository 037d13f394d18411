import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '../../base/errors.ts';
import { visible, type Grant } from '../../security/grant.ts';
import type { Duration, ServableMetadata, ServableStatistics } from '../../serving/data-plane.ts';
import { answered } from '../../serving/questions.ts';
import { modelConfig } from './model-config.ts';
import type { RestParts } from './parts.ts';
import {
  failures,
  Graph,
  jsonSchema,
  ModelConfig,
  ModelList,
  ModelMetadata,
  ModelStats,
  MODEL_PATHS,
  modelOf,
} from './schemas.ts';

type Route = (
  path: string,
  summary: string,
  schema: object,
  handler: (request: FastifyRequest, reply: FastifyReply) => unknown,
) => void;

function routesOf(app: FastifyInstance): Route {
  return (path, summary, schema, handler) => {
    const options = { schema: { summary, tags: ['models'], response: { 200: schema, ...failures } } };
    app.get(path, options, async (request, reply) => handler(request, reply));
  };
}

/** Metadata and readiness of a servable. */
export async function metadataRoutes(app: FastifyInstance, { dataPlane }: RestParts): Promise<void> {
  const route = routesOf(app);
  for (const path of MODEL_PATHS) {
    route(path, 'Inputs and outputs', jsonSchema(ModelMetadata), (request) => {
      const { servable, version } = modelOf(request);
      const question = { method: 'ModelMetadata', name: servable, version, via: 'REST' } as const;
      return toMetadata(answered(dataPlane, question, () => dataPlane.metadata(servable, version)));
    });
    route(`${path}/ready`, 'Whether it takes requests', { description: 'Yes', type: 'null' }, (request, reply) => {
      const { servable, version } = modelOf(request);
      const question = { method: 'ModelReady', name: servable, version, via: 'REST' } as const;
      if (!answered(dataPlane, question, () => dataPlane.isServableReady(servable, version))) {
        dataPlane.metadata(servable, version); // throws what keeps it from being ready, unless that is not its own
        throw new MillraceError('SHUTTING_DOWN', 'the server is shutting down');
      }
      return reply.code(200).send();
    });
  }
}

/** What else there is to know of servables: list, configuration, graph, statistics. */
export async function modelRoutes(app: FastifyInstance, { dataPlane }: RestParts): Promise<void> {
  const route = routesOf(app);
  const statistics = async (name: string, version: string, grant?: Grant): Promise<object> => ({
    model_stats: visible(grant, await dataPlane.statistics(name, version)).map(toModelStats),
  });

  route('/v2/models', 'Names of all servables', jsonSchema(ModelList), ({ grant }) => ({
    models: [...new Set(visible(grant, dataPlane.list()).map((servable) => servable.name))],
  }));
  route('/v2/models/stats', 'Statistics of all servables', jsonSchema(ModelStats), ({ grant }) =>
    statistics('', '', grant),
  );
  for (const path of MODEL_PATHS) {
    route(`${path}/config`, "Configuration in Triton's form", jsonSchema(ModelConfig), (request) => {
      const { servable, version } = modelOf(request);
      return modelConfig(dataPlane.metadata(servable, version));
    });
    route(`${path}/graph`, 'The validated graph: its nodes and streams', jsonSchema(Graph), (request) => {
      const { servable, version } = modelOf(request);
      return graphOf(dataPlane.metadata(servable, version));
    });
    route(`${path}/stats`, 'Statistics', jsonSchema(ModelStats), (request) => {
      const { servable, version } = modelOf(request);
      return statistics(servable, version);
    });
  }
}

function graphOf({ name, kind, graph }: ServableMetadata): object {
  if (graph !== undefined) return graph;
  throw new MillraceError('NOT_SUPPORTED', `'${name}' is a ${kind}, a graph expected`, {
    code: 'INVALID_ARGUMENT',
    details: { servable: name, expected: 'graph', actual: kind },
  });
}

function toMetadata({ name, versions, platform, inputs, outputs }: ServableMetadata): object {
  const tensors = (specs: ServableMetadata['inputs']): object[] =>
    specs.map((spec) => ({ name: spec.name, datatype: spec.datatype, shape: spec.shape }));
  return { name, versions, platform, inputs: tensors(inputs), outputs: tensors(outputs) };
}

function toModelStats(stats: ServableStatistics): object {
  const duration = ({ count, ns }: Duration): object => ({ count, ns });
  return {
    name: stats.name,
    version: stats.version,
    last_inference: stats.lastInference,
    inference_count: stats.inferenceCount,
    execution_count: stats.executionCount,
    inference_stats: {
      success: duration(stats.success),
      fail: duration(stats.fail),
      queue: duration(stats.queue),
      compute_input: duration(stats.computeInput),
      compute_infer: duration(stats.computeInfer),
      compute_output: duration(stats.computeOutput),
      cache_hit: duration(stats.cacheHit),
      cache_miss: duration(stats.cacheMiss),
    },
    response_stats: Object.fromEntries(
      stats.responses.map(({ computeInfer, computeOutput, success, fail, emptyResponse, cancel }, at) => [
        String(at),
        {
          compute_infer: duration(computeInfer),
          compute_output: duration(computeOutput),
          success: duration(success),
          fail: duration(fail),
          empty_response: duration(emptyResponse),
          cancel: duration(cancel),
        },
      ]),
    ),
    batch_stats: stats.batches.map(({ batchSize, computeInput, computeInfer, computeOutput }) => ({
      batch_size: batchSize,
      compute_input: duration(computeInput),
      compute_infer: duration(computeInfer),
      compute_output: duration(computeOutput),
    })),
    memory_usage: [],
  };
}
