import { readFileSync } from 'node:fs';
import { request as httpRequest, Agent } from 'node:http';
import { join } from 'node:path';
import { Client, credentials, type Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GENERATE_SEEDS, JSON_SEEDS, protobufSeeds } from '../support/fuzz-seeds.ts';
import { fuzzCases, fuzzSeed, mutated, mutatedJson, Random } from '../support/mutations.ts';
import { ROOT } from '../support/paths.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** Bodies under way at once. */
const AT_ONCE = 16;
/** Bodies by which the server gets warm before its memory is measured. */
const WARM = 500;
const MAX_GROWTH_BYTES = 100 * 2 ** 20;
/** HTTP statuses that a body may have: done, or a fault of the request. */
const STATUSES: ReadonlySet<number> = new Set([200, 400, 404, 413, 422, 501]);
/** gRPC codes likewise; INTERNAL is what gRPC says of bytes that are no message. */
const CODES: ReadonlySet<number> = new Set([0, 3, 5, 8, 12, 13]);

let server: TestServer;
let grpc: Client;
let hosts: readonly number[];

beforeAll(async () => {
  const config = join(ROOT, 'test/conformance/tritonclient/servables/config.json');
  server = await startServer({
    config,
    flags: ['--hosts', '2', '--shared_memory', '--file_system_poll_wait_seconds', '0'],
  });
  grpc = new Client(server.grpcAddress, credentials.createInsecure());
  hosts = pids();
});
afterAll(async () => {
  grpc.close();
  await server.stop();
});

const pids = (): number[] =>
  server
    .children()
    .map(({ pid }) => pid)
    .toSorted((a, b) => a - b);

/** Resident memory of the server and its hosts. */
function memory(): number {
  const pages = [server.pid, ...pids()].map((pid) => Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]));
  return pages.reduce((sum, each) => sum + each, 0) * 4096;
}

/** Sends `count` bodies, a few at once; every answer must be one that the fault of a request may have. */
async function send(count: number, one: (random: Random) => Promise<string | undefined>): Promise<void> {
  const random = new Random(fuzzSeed());
  let left = count;
  const faults: string[] = [];
  const sender = async (): Promise<void> => {
    while (left-- > 0 && faults.length === 0) {
      const fault = await one(random);
      if (fault !== undefined) faults.push(fault);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sender));
  expect(faults).toEqual([]);
}

async function unharmed(before: number): Promise<void> {
  expect((await fetch(`${server.restUrl}/v2/health/ready`)).status).toBe(200);
  expect(pids()).toEqual(hosts);
  const broken = server
    .logs()
    .split('\n')
    .filter((line) => /request failed|gRPC call failed|fault in a host|host lost/.test(line));
  expect(broken.slice(0, 3)).toEqual([]);
  const pending = /^nv_inference_pending_request_count\{[^}]*\} [^0]/m;
  await expect
    .poll(async () => (await fetch(`${server.restUrl}/metrics`)).text(), { timeout: 15_000 })
    .not.toMatch(pending);
  if (process.platform === 'linux') expect(memory() - before).toBeLessThan(MAX_GROWTH_BYTES);
}

const protobuf = protobufSeeds();

function unary(method: string, body: Buffer): Promise<string | undefined> {
  const path = `/inference.GRPCInferenceService/${method}`;
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    const deadline = { deadline: Date.now() + 30_000 };
    grpc.makeUnaryRequest(path, same, same, body, deadline, (error) => {
      const code = error?.code ?? 0;
      const reason = (error?.metadata as Metadata | undefined)?.get('millrace-reason')[0];
      const isRight = CODES.has(code) && (code !== 13 || reason !== 'INTERNAL');
      resolve(
        isRight
          ? undefined
          : `${method} ${code} ${String(reason)} ${error?.details}: ${body.toString('hex').slice(0, 800)}`,
      );
    });
  });
}

/** The RPCs whose messages are small; all are put to mutated requests of inference. */
const RPCS = [
  'ModelInfer',
  'ModelInfer',
  'ModelInfer',
  'ModelInfer',
  'ModelMetadata',
  'ModelConfig',
  'ModelStatistics',
];
const MORE_RPCS = [
  'TraceSetting',
  'LogSettings',
  'SystemSharedMemoryRegister',
  'SystemSharedMemoryStatus',
  'RepositoryIndex',
];

test('malformed protobuf over gRPC ends no process, leaks nothing and has the codes of faults of requests', async () => {
  const one = (random: Random): Promise<string | undefined> =>
    unary(random.of([...RPCS, random.of(MORE_RPCS)]), mutated(protobuf, random));
  await send(WARM, one);
  const before = memory();
  await send(fuzzCases(2000), one);
  await unharmed(before);
}, 900_000);

test('so it does in streams, which end or go on', async () => {
  const before = memory();
  const random = new Random(fuzzSeed());
  const same = (bytes: Buffer): Buffer => bytes;
  for (let left = Math.ceil(fuzzCases(2000) / 20); left > 0; left--) {
    const code = await new Promise<number>((resolve) => {
      const path = '/inference.GRPCInferenceService/ModelStreamInfer';
      const call = grpc.makeBidiStreamRequest(path, same, same, { deadline: Date.now() + 30_000 });
      call.on('data', () => {});
      call.on('error', () => {});
      call.on('status', (status) => resolve(status.code));
      for (let messages = 20; messages > 0; messages--) call.write(mutated(protobuf, random));
      call.end();
    });
    expect(CODES).toContain(code);
  }
  await unharmed(before);
}, 900_000);

const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

function post(path: string, body: Buffer, headers: Readonly<Record<string, string>> = {}): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const options = { agent, method: 'POST', headers: { ...headers, 'Content-Length': String(body.length) } };
    const call = httpRequest(`${server.restUrl}${path}`, options, (response) => {
      const status = response.statusCode ?? 0;
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece.slice(0, 500)));
      response.on('end', () => {
        resolve(STATUSES.has(status) ? undefined : `${path} ${status} ${text}: ${body.toString('utf8').slice(0, 800)}`);
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

const MODELS = ['identity_fp32', 'identity_int64', 'bytes', 'add', 'told'];
const CONTROLS = [
  '/v2/repository/index',
  '/v2/trace/setting',
  '/v2/logging',
  '/v2/models/told/trace/setting',
  '/v2/systemsharedmemory/unregister',
  '/v2/cudasharedmemory/region/x/register',
];

test('malformed JSON over HTTP ends no process, leaks nothing and has the statuses of faults of requests', async () => {
  const one = (random: Random): Promise<string | undefined> => {
    const kind = random.below(10);
    if (kind === 0)
      return post(random.of(CONTROLS), mutatedJson(['{"ready":true,"trace_rate":"1","key":"/x"}'], random));
    if (kind < 4) {
      const verb = random.of(['generate', 'generate_stream']);
      return post(`/v2/models/told/${verb}`, mutatedJson(GENERATE_SEEDS, random));
    }
    const body = mutatedJson(JSON_SEEDS, random);
    const length = random.of([undefined, undefined, body.length, random.below(body.length + 9)]);
    const headers: Record<string, string> = {};
    if (length !== undefined) headers['Inference-Header-Content-Length'] = String(length);
    return post(`/v2/models/${random.of(MODELS)}/infer`, body, headers);
  };
  await send(WARM, one);
  const before = memory();
  await send(fuzzCases(2000), one);
  await unharmed(before);
}, 900_000);
