/** What a token may be for. */
export const SCOPES = ['infer', 'manage', 'metrics', 'admin'] as const;

/** `admin` stands for all. */
export type Scope = (typeof SCOPES)[number];

export type NameField = 'name' | 'model_name' | 'inference';

/** What an RPC or a route asks of who calls it. */
export interface Access {
  /** `open`: no token; `any`: one with any scope; else one with one of these scopes, or `admin`. */
  readonly needs: 'open' | 'any' | readonly Scope[];
  /** As what it counts among its token's calls while it runs. */
  readonly counts?: 'request' | 'session';
  /**
   * Of an RPC: the field of its request that names a servable; "" there is none in particular. `inference`: that of an
   * inference request. In REST it is the path's `:model`.
   */
  readonly names?: NameField;
  /** It touches every servable, so tokens that are limited to some may not. */
  readonly concernsAll?: boolean;
}

const OPEN: Access = { needs: 'open' };
const ANY: Access = { needs: 'any' };
const METRICS: Access = { needs: ['metrics'] };
/** Reading about servables. */
const READ: Access = { needs: ['infer', 'manage'] };
const READ_ONE: Access = { ...READ, names: 'name' };
const STATISTICS: Access = { needs: ['infer', 'manage', 'metrics'] };
const REQUEST: Access = { needs: ['infer'], counts: 'request', names: 'inference' };
const SESSION: Access = { needs: ['infer'], counts: 'session', names: 'inference' };
const MANAGE: Access = { needs: ['manage'] };
const MANAGE_ONE: Access = { needs: ['manage'], names: 'model_name' };
const MANAGE_ALL: Access = { needs: ['manage'], concernsAll: true };

const KSERVE: Readonly<Record<string, Access>> = {
  ServerLive: OPEN,
  ServerReady: OPEN,
  ServerMetadata: ANY,
  ModelReady: READ_ONE,
  ModelMetadata: READ_ONE,
  ModelConfig: READ_ONE,
  ModelStatistics: { ...STATISTICS, names: 'name' },
  ModelInfer: REQUEST,
  ModelStreamInfer: SESSION,
  RepositoryIndex: READ,
  RepositoryModelLoad: MANAGE_ONE,
  RepositoryModelUnload: MANAGE_ONE,
  SystemSharedMemoryStatus: MANAGE_ALL,
  SystemSharedMemoryRegister: MANAGE_ALL,
  SystemSharedMemoryUnregister: MANAGE_ALL,
  CudaSharedMemoryStatus: MANAGE_ALL,
  CudaSharedMemoryRegister: MANAGE_ALL,
  CudaSharedMemoryUnregister: MANAGE_ALL,
  TraceSetting: MANAGE_ALL,
  LogSettings: MANAGE_ALL,
};

/** RPCs by path, of every dialect. */
export const GRPC_ACCESS: Readonly<Record<string, Access>> = {
  ...under('/inference.GRPCInferenceService/', KSERVE),
  ...under('/inference.model_repository.ModelRepositoryService/', {
    RepositoryIndex: READ,
    RepositoryModelLoad: MANAGE_ONE,
    RepositoryModelUnload: MANAGE_ONE,
  }),
  ...under('/grpc.health.v1.Health/', { Check: OPEN, Watch: OPEN }),
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': ANY,
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': ANY,
};

/** Of a servable, behind `/v2/models/:model` and `/v2/models/:model/versions/:version`. */
const MODEL_ROUTES: Readonly<Record<string, Access>> = {
  'GET ': READ,
  'GET /ready': READ,
  'GET /config': READ,
  'GET /graph': READ,
  'GET /stats': STATISTICS,
  'GET /docs': READ,
  'GET /docs/dataplane.json': READ,
  'POST /infer': { needs: ['infer'], counts: 'request' },
  'POST /generate': { needs: ['infer'], counts: 'request' },
  'POST /generate_stream': { needs: ['infer'], counts: 'session' },
  'POST /infer_stream': { needs: ['infer'], counts: 'session' },
};

/** Routes as `METHOD path`, of every dialect; HEAD is GET's. The metrics stand under `/metrics`, wherever they are; the pages of `/docs` under `/docs/*`. */
export const REST_ACCESS: Readonly<Record<string, Access>> = {
  'GET /v2/health/live': OPEN,
  'GET /v2/health/ready': OPEN,
  'GET /v2': ANY,
  'GET /v2/models': READ,
  'GET /v2/models/stats': STATISTICS,
  ...behind('/v2/models/:model', MODEL_ROUTES),
  ...behind('/v2/models/:model/versions/:version', MODEL_ROUTES),
  'POST /v2/repository/index': READ,
  'POST /v2/repository/models/:model/load': { needs: ['manage'] },
  'POST /v2/repository/models/:model/unload': { needs: ['manage'] },
  'POST /v2/repository/:repository/index': READ,
  'POST /v2/repository/:repository/models/:model/load': { needs: ['manage'] },
  'POST /v2/repository/:repository/models/:model/unload': { needs: ['manage'] },
  'GET /v2/systemsharedmemory/status': MANAGE_ALL,
  'GET /v2/systemsharedmemory/region/:region/status': MANAGE_ALL,
  'POST /v2/systemsharedmemory/region/:region/register': MANAGE_ALL,
  'POST /v2/systemsharedmemory/unregister': MANAGE_ALL,
  'POST /v2/systemsharedmemory/region/:region/unregister': MANAGE_ALL,
  'GET /v2/cudasharedmemory/status': MANAGE_ALL,
  'GET /v2/cudasharedmemory/region/:region/status': MANAGE_ALL,
  'POST /v2/cudasharedmemory/region/:region/register': MANAGE_ALL,
  'POST /v2/cudasharedmemory/unregister': MANAGE_ALL,
  'POST /v2/cudasharedmemory/region/:region/unregister': MANAGE_ALL,
  'GET /v2/trace/setting': MANAGE_ALL,
  'POST /v2/trace/setting': MANAGE_ALL,
  'GET /v2/models/:model/trace/setting': MANAGE_ALL,
  'POST /v2/models/:model/trace/setting': MANAGE_ALL,
  'GET /v2/logging': MANAGE_ALL,
  'POST /v2/logging': MANAGE_ALL,
  'GET /v1/config': READ,
  'POST /v1/config/reload': MANAGE_ALL,
  'GET /metrics': METRICS,
  'POST /v1/pipelines': MANAGE,
  'GET /v1/pipelines': MANAGE,
  ...under('GET /v1/pipelines/:pipeline_id', {
    '': MANAGE,
    '/events': MANAGE,
    '/frame.jpg': MANAGE,
    '/preview.mjpeg': MANAGE,
  }),
  'PATCH /v1/pipelines/:pipeline_id': MANAGE,
  'DELETE /v1/pipelines/:pipeline_id': MANAGE,
  ...under('POST /v1/pipelines/:pipeline_id', { '/pause': MANAGE, '/resume': MANAGE, '/results': MANAGE }),
  // Roboflow's clients give their key in the body or query: these routes ask for it themselves.
  'GET /list_pipelines': OPEN,
  'GET /status/:pipeline_id': OPEN,
  'POST /initialise': OPEN,
  ...under('POST ', { '/pause/:pipeline_id': OPEN, '/resume/:pipeline_id': OPEN, '/terminate/:pipeline_id': OPEN }),
  'GET /inference_pipelines/list': OPEN,
  'POST /inference_pipelines/initialise': OPEN,
  'POST /inference_pipelines/initialise_webrtc': OPEN,
  ...under('GET /inference_pipelines/:pipeline_id', { '/status': OPEN, '/consume': OPEN }),
  ...under('POST /inference_pipelines/:pipeline_id', { '/pause': OPEN, '/resume': OPEN, '/terminate': OPEN }),
  'GET /openapi.json': ANY,
  'GET /v2/docs': ANY,
  'GET /v2/docs/dataplane.json': ANY,
  'GET /docs': ANY,
  'GET /docs/*': ANY,
  // Only where CORS is on, which answers it before any token is asked for.
  'OPTIONS *': OPEN,
};

function under(prefix: string, accesses: Readonly<Record<string, Access>>): Record<string, Access> {
  return Object.fromEntries(Object.entries(accesses).map(([name, access]) => [prefix + name, access]));
}

function behind(path: string, accesses: Readonly<Record<string, Access>>): Record<string, Access> {
  return Object.fromEntries(
    Object.entries(accesses).map(([route, access]) => {
      const [method = '', rest = ''] = route.split(' ');
      return [`${method} ${path}${rest}`, access];
    }),
  );
}

/** Of the routes of runtimes' own. */
export const OWN_ROUTE_ACCESS: Access = { needs: ['infer'], counts: 'request' };

/** Of what is answered 404 or 405: any token may see that. */
export const REFUSED_ACCESS = ANY;

/**
 * What an RPC asks for.
 * @throws TypeError where the table lacks it: nothing is served that has no entry
 */
export function grpcAccess(path: string): Access {
  return listed(GRPC_ACCESS, path);
}

/**
 * What a route asks for.
 * @param url the route's pattern
 * @throws TypeError where the table lacks it: nothing is served that has no entry
 */
export function restAccess(method: string, url: string): Access {
  const pattern = url.startsWith('/docs/') ? '/docs/*' : url;
  return listed(REST_ACCESS, `${method === 'HEAD' ? 'GET' : method} ${pattern}`);
}

function listed(table: Readonly<Record<string, Access>>, key: string): Access {
  const access = Object.hasOwn(table, key) ? table[key] : undefined;
  if (access === undefined) throw new TypeError(`${key} has no entry in security/access.ts`);
  return access;
}
