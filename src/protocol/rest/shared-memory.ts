import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { noControls } from '../../serving/server-controls.ts';
import { noCudaMemory, noCudaRegion } from '../wire/cuda-shared-memory.ts';
import { done, DONE } from './done.ts';
import { readBodyAs } from './json-body.ts';
import type { RestParts } from './parts.ts';
import { failures, jsonSchema } from './schemas.ts';

const RegisterRequest = z.looseObject({
  key: z.string().describe('POSIX name of the shared memory object.'),
  offset: z.union([z.bigint(), z.number()]).optional(),
  byte_size: z.union([z.bigint(), z.number()]),
});

/** As the documentation shows them. */
const RegisterBody = z.object({ key: z.string(), offset: z.int().min(0).optional(), byte_size: z.int().min(1) });
const CudaRegisterBody = z.object({
  raw_handle: z.object({ b64: z.string() }),
  device_id: z.int(),
  byte_size: z.int(),
});
const Regions = z.array(z.object({ name: z.string(), key: z.string(), offset: z.int(), byte_size: z.int() }));
const CudaRegions = z.array(z.object({ name: z.string(), device_id: z.int(), byte_size: z.int() }));

const tags = ['shared memory'];

/** Triton's shared memory extensions (KServe sheet §3): POSIX regions, and none of CUDA's. */
export async function sharedMemoryRoutes(app: FastifyInstance, { controls = noControls() }: RestParts): Promise<void> {
  const { sharedMemory } = controls;
  const status = {
    summary: 'Shared memory regions that are registered',
    tags,
    response: { 200: jsonSchema(Regions), ...failures },
  };
  for (const path of pathsOf('system', 'status')) {
    app.get(path, { schema: status }, async (request) =>
      sharedMemory
        .status(regionOf(request))
        .map(({ name, key, offset, byteSize }) => ({ name, key, offset, byte_size: byteSize })),
    );
  }
  const register = {
    summary: 'Register a shared memory region',
    tags,
    body: jsonSchema(RegisterBody),
    response: { 200: DONE, ...failures },
  };
  app.post('/v2/systemsharedmemory/region/:region/register', { schema: register }, async (request, reply) => {
    const { key, offset = 0, byte_size: byteSize } = readBodyAs(request, 'register request', RegisterRequest, false);
    sharedMemory.register({ name: regionOf(request), key, offset: Number(offset), byteSize: Number(byteSize) });
    return done(reply);
  });
  const unregister = { summary: 'Forget shared memory regions', tags, response: { 200: DONE, ...failures } };
  for (const path of pathsOf('system', 'unregister')) {
    app.post(path, { schema: unregister }, async (request, reply) => {
      sharedMemory.unregister(regionOf(request));
      return done(reply);
    });
  }
  cudaRoutes(app);
}

/** There are never any regions, so there is nothing to list or to forget. */
function cudaRoutes(app: FastifyInstance): void {
  const status = {
    summary: 'CUDA shared memory regions: none',
    tags,
    response: { 200: jsonSchema(CudaRegions), ...failures },
  };
  for (const path of pathsOf('cuda', 'status')) {
    app.get(path, { schema: status }, async (request) => {
      const region = regionOf(request);
      if (region !== '') throw noCudaRegion(region);
      return [];
    });
  }
  const register = { summary: 'Refused: not supported', tags, body: jsonSchema(CudaRegisterBody), response: failures };
  app.post('/v2/cudasharedmemory/region/:region/register', { schema: register }, async (request) => {
    throw noCudaMemory(regionOf(request));
  });
  const unregister = { summary: 'Forget CUDA shared memory regions', tags, response: { 200: DONE, ...failures } };
  for (const path of pathsOf('cuda', 'unregister')) {
    app.post(path, { schema: unregister }, async (_request, reply) => done(reply));
  }
}

/** Of all regions, and of one. */
function pathsOf(kind: 'system' | 'cuda', verb: string): readonly string[] {
  return [`/v2/${kind}sharedmemory/${verb}`, `/v2/${kind}sharedmemory/region/:region/${verb}`];
}

/** "" where the path names none. */
function regionOf(request: FastifyRequest): string {
  return (request.params as { readonly region?: string }).region ?? '';
}
