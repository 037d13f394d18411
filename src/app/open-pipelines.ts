import { resolve } from 'node:path';
import type { FastifyRequest } from 'fastify';
import type { Closer } from '../base/closer.ts';
import type { Logger } from '../base/logger.ts';
import type { Meter } from '../base/meter.ts';
import type { Settings } from '../config/settings.ts';
import { PipelineManager, type Owner } from '../pipelines/pipeline-manager.ts';
import { PipelineMetrics } from '../pipelines/pipeline-metrics.ts';
import { PipelineStore } from '../pipelines/pipeline-store.ts';
import { parsePipelinesConfig } from '../pipelines/pipelines-config.ts';
import { RoboflowCommands } from '../pipelines/roboflow/commands.ts';
import type { PipelineRouteParts } from '../protocol/rest/pipelines/index.ts';
import type { Access } from '../security/access.ts';
import type { Guard } from '../security/guard.ts';
import { bearerToken, parseToken } from '../security/token.ts';
import type { FrontDataPlane } from '../serving/front-data-plane.ts';

/** `pipelines` of a configuration file, not yet checked. */
export interface PipelinesSection {
  readonly section: unknown;
  /** That relative paths start from. */
  readonly folder: string;
}

/** Pipelines as the ports need them. */
export interface OpenPipelines extends PipelineRouteParts {
  /** As `ownerOf`, for clients that have only an API key. */
  readonly ownerOfKey: (apiKey: string | undefined, address: string) => Owner;
}

const MANAGE: Access = { needs: ['manage'] };

/**
 * Makes the manager of pipelines; undefined without host processes, which are what they run in.
 * @throws MillraceError CONFIG_INVALID
 */
export function openPipelines(
  settings: Settings,
  given: PipelinesSection | undefined,
  parts: {
    readonly dataPlane: FrontDataPlane;
    readonly guard: Guard | undefined;
    readonly meter: Meter;
    readonly logger: Logger;
  },
  opened: Closer,
): OpenPipelines | undefined {
  const { dataPlane, guard, meter, logger } = parts;
  const config = parsePipelinesConfig(given?.section);
  if (settings.hosts === 0) {
    logger.warn({}, 'hosts is 0: video pipelines are not run');
    return undefined;
  }
  const { pipelinesFolder } = settings;
  const hosts = {
    hasServable: (name: string) => dataPlane.list().some((each) => each.name === name),
    specOf: (...named: Parameters<FrontDataPlane['specOf']>) => dataPlane.specOf(...named),
    openPipeline: (...opening: Parameters<FrontDataPlane['openPipeline']>) => dataPlane.openPipeline(...opening),
  };
  const store = pipelinesFolder === undefined ? undefined : new PipelineStore(resolve(pipelinesFolder), logger);
  const baseFolder = given?.folder ?? process.cwd();
  const manager = opened.use(new PipelineManager({ config, baseFolder, store }, hosts, logger));
  opened.use(new PipelineMetrics(manager, meter));
  const ownerOf = (authorization: string | undefined, address: string, call: string): Owner => {
    if (guard === undefined) return {};
    const leave = guard.enter(MANAGE, { authorization, address, call }, () => {});
    leave[Symbol.dispose]();
    const text = authorization === undefined ? undefined : bearerToken(authorization);
    return { token: text === undefined ? undefined : parseToken(text)?.id, leave };
  };
  return {
    manager,
    commands: new RoboflowCommands(manager),
    ownerOf: (request, apiKey) =>
      ownerOf(request.raw.headers.authorization ?? asBearer(apiKey), addressOf(request), callOf(request)),
    ownerOfKey: (apiKey, address) => ownerOf(asBearer(apiKey), address, 'stream manager'),
  };
}

function asBearer(apiKey: string | undefined): string | undefined {
  return apiKey === undefined || apiKey === '' ? undefined : `Bearer ${apiKey}`;
}

function addressOf({ raw }: FastifyRequest): string {
  return raw.socket.remoteAddress ?? '';
}

function callOf({ method, routeOptions }: FastifyRequest): string {
  return `${method} ${routeOptions.url ?? ''}`;
}
