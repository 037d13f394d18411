import { afterAll, beforeAll } from 'vitest';
import { KserveGrpc } from '../../support/kserve-grpc.ts';
import { startServer, type TestServer } from '../../support/start-server.ts';
import { OVMS_CONFIG } from './stream-case.ts';

/** A server with the OVMS graphs, and a client of it. */
export interface OvmsServer {
  server: TestServer;
  client: KserveGrpc;
}

/** Starts one for the tests of a file, and stops it after them; its members are there once the tests run. */
export function useOvmsServer(): OvmsServer {
  const parts = {} as OvmsServer;
  beforeAll(async () => {
    parts.server = await startServer({ config: OVMS_CONFIG, flags: ['--hosts', '1'] });
    parts.client = new KserveGrpc(parts.server.grpcAddress);
  });
  afterAll(async () => {
    parts.client.close();
    await parts.server.stop();
  });
  return parts;
}
