import type { FastifyInstance } from 'fastify';
import { generationARoutes } from './generation-a.ts';
import { generationBRoutes } from './generation-b.ts';
import type { PipelineRouteParts } from './parts.ts';
import { pipelineRoutes } from './v1.ts';

export type { PipelineRouteParts } from './parts.ts';

/** Every path that pipelines are managed at: Roboflow's, of two generations, and our own. */
export async function allPipelineRoutes(app: FastifyInstance, parts: PipelineRouteParts): Promise<void> {
  await app.register(generationARoutes, parts);
  await app.register(generationBRoutes, parts);
  await app.register(pipelineRoutes, parts);
}
