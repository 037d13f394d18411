import type { FastifyRequest } from 'fastify';
import type { Owner, PipelineManager } from '../../../pipelines/pipeline-manager.ts';
import type { RoboflowCommands } from '../../../pipelines/roboflow/commands.ts';

/** What the routes of pipelines work with. */
export interface PipelineRouteParts {
  readonly manager: PipelineManager;
  readonly commands: RoboflowCommands;
  /**
   * Whose a request is: by its `authorization`, else by the API key of its body or query.
   * @throws MillraceError UNAUTHENTICATED, PERMISSION_DENIED
   */
  readonly ownerOf: (request: FastifyRequest, apiKey?: string) => Owner;
}
