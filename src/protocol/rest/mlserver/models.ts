import type { FastifyInstance } from 'fastify';
import type { TensorSpec } from '../../../tensor/tensor.ts';
import type { RestParts } from '../parts.ts';
import { failures, jsonSchema, ModelMetadata, MODEL_PATHS, modelOf } from '../schemas.ts';
import { answered } from '../../../serving/questions.ts';

const READY = {
  200: { description: 'Yes', type: 'null' },
  400: { description: 'No', type: 'null' },
};

/** Where MLServer answers otherwise than Triton: what is not ready is a 400, and metadata has parameters (its sheet, §7). */
export async function mlserverModelRoutes(app: FastifyInstance, { dataPlane }: RestParts): Promise<void> {
  app.get(
    '/v2/health/live',
    { schema: { summary: 'Whether the server runs', tags: ['health'], response: READY } },
    (_, reply) => reply.code(dataPlane.isLive() ? 200 : 400).send(),
  );
  app.get(
    '/v2/health/ready',
    { schema: { summary: 'Whether every model takes requests', tags: ['health'], response: READY } },
    (_, reply) => reply.code(dataPlane.isReady() ? 200 : 400).send(),
  );
  for (const path of MODEL_PATHS) {
    const metadata = {
      summary: 'Inputs and outputs',
      tags: ['models'],
      response: { 200: jsonSchema(ModelMetadata), ...failures },
    };
    app.get(path, { schema: metadata }, (request) => {
      const { servable, version } = modelOf(request);
      const question = { method: 'ModelMetadata', name: servable, version, via: 'REST' } as const;
      const metadata = answered(dataPlane, question, () => dataPlane.metadata(servable, version));
      const { name, platform, inputs, outputs, parameters = {} } = metadata;
      const versions = metadata.declaredVersions ?? metadata.versions;
      return { name, versions, platform, inputs: inputs.map(tensor), outputs: outputs.map(tensor), parameters };
    });
    const ready = { summary: 'Whether it takes requests', tags: ['models'], response: READY };
    app.get(`${path}/ready`, { schema: ready }, (request, reply) => {
      const { servable, version } = modelOf(request);
      const question = { method: 'ModelReady', name: servable, version, via: 'REST' } as const;
      const isReady = answered(dataPlane, question, () => dataPlane.isServableReady(servable, version));
      if (!isReady && !dataPlane.list().some(({ name }) => name === servable)) dataPlane.metadata(servable, version);
      return reply.code(isReady ? 200 : 400).send();
    });
  }
}

function tensor({ name, datatype, shape, parameters }: TensorSpec): object {
  return { name, datatype, shape, ...(parameters !== undefined && { parameters }) };
}
