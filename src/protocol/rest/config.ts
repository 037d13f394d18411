import type { FastifyInstance } from 'fastify';
import { visible, type Grant } from '../../security/grant.ts';
import type { DataPlane, ServableState } from '../../serving/data-plane.ts';
import type { RestParts } from './parts.ts';
import { ConfigStatus, failures, jsonSchema } from './schemas.ts';

/** OVMS's names of the states; `END`: it will not be available. A graph that failed to load is `LOADING` there (sheet §4.4). */
const OVMS_STATES: Record<ServableState, string> = {
  ready: 'AVAILABLE',
  loading: 'LOADING',
  unavailable: 'END',
  unloaded: 'END',
};

/** OVMS's `GET /v1/config` and `POST /v1/config/reload` (201 when something changed, else 200). */
export async function configRoutes(app: FastifyInstance, { dataPlane }: RestParts): Promise<void> {
  const ok = jsonSchema(ConfigStatus);
  app.get(
    '/v1/config',
    { schema: { summary: 'State of every servable', tags: ['config'], response: { 200: ok, ...failures } } },
    async ({ grant }) => configStatus(dataPlane, grant),
  );
  app.post(
    '/v1/config/reload',
    {
      schema: {
        summary: 'Read the configuration again',
        tags: ['config'],
        response: { 200: ok, 201: ok, ...failures },
      },
    },
    async ({ grant }, reply) => {
      const hasChanged = await dataPlane.reload();
      return reply.code(hasChanged ? 201 : 200).send(configStatus(dataPlane, grant));
    },
  );
}

function configStatus(dataPlane: DataPlane, grant: Grant | undefined): object {
  const byName = new Map<string, object[]>();
  for (const { name, version, kind, state, reason } of visible(grant, dataPlane.list())) {
    const versions = byName.get(name) ?? [];
    byName.set(name, versions);
    const isBrokenGraph = kind === 'graph' && state === 'unavailable';
    const code = isBrokenGraph ? 'FAILED_PRECONDITION' : 'UNKNOWN';
    const status =
      reason === '' ? { error_code: 'OK', error_message: 'OK' } : { error_code: code, error_message: reason };
    versions.push({ version, state: isBrokenGraph ? 'LOADING' : OVMS_STATES[state], status });
  }
  return Object.fromEntries([...byName].map(([name, versions]) => [name, { model_version_status: versions }]));
}
