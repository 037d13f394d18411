import { execFile } from 'node:child_process';
import { readFile, rename, symlink } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { TestAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import {
  checkManifests,
  containerOf,
  manifest,
  type Container,
  type Manifest,
  type Probe,
} from '../support/manifests.ts';
import { ROOT } from '../support/paths.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type ServerOptions, type TestServer } from '../support/start-server.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const FOLDER = 'extras/kubernetes';
const RUNTIMES = ['onnx', 'triton', 'mlserver'].map((name) => `${FOLDER}/kserve/${name}-runtime.yaml`);
const GRU = join(ROOT, 'models/sensor_gru/1/model.onnx');

let manifests: readonly Manifest[];
let scratch: ScratchFolder;
let server: TestServer | undefined;

beforeAll(async () => {
  const own = ['config', 'deployment', 'secured'].map((name) => `${FOLDER}/${name}.yaml`);
  manifests = await checkManifests([...own, ...RUNTIMES, `${FOLDER}/kserve/inference-services.yaml`]);
});
beforeEach(async () => {
  scratch = await ScratchFolder.create();
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  await scratch[Symbol.asyncDispose]();
});

/**
 * Starts a container's command line: its folders are in the scratch folder, its ports free ones of 127.0.0.1, and `{{.Name}}`
 * is replaced as KServe does.
 */
async function start(container: Container, more: ServerOptions & { name?: string; args?: readonly string[] } = {}) {
  const { name = 'none', args = [], ...options } = more;
  const here = (text: string): string =>
    text
      .replaceAll('{{.Name}}', name)
      .replaceAll(/(?<=^|=)\/(config|secrets|mnt)\//g, `${scratch.path}/$1/`)
      .replace('0.0.0.0', '127.0.0.1');
  const command = [...container.args, ...args].map(here);
  const env = Object.fromEntries((container.env ?? []).map((variable) => [variable.name, here(variable.value)]));
  const flags: string[] = [];
  for (const port of ['metrics_port', 'mlserver_port']) {
    if (command.some((arg) => arg.startsWith(`--${port}=`))) flags.push(`--${port}=${await freePort()}`);
  }
  if (command[0] === 'start') flags.push(`--metrics_port=${await freePort()}`);
  server = await startServer({ ...options, command, flags, env });
  return { server, command, flags, probe: (probe: Probe | undefined) => ask(probe, container, name) };
}

/** What the kubelet takes an answer for, as it asks. */
async function ask(probe: Probe | undefined, { ports = [] }: Container, name: string): Promise<boolean> {
  if (server === undefined) throw new Error('no server runs');
  if (probe?.grpc !== undefined) return isServing(server.grpcAddress);
  if (probe?.httpGet === undefined) throw new Error('a probe with httpGet or grpc expected');
  const { path, port, scheme = 'HTTP' } = probe.httpGet;
  const number = typeof port === 'number' ? port : ports.find((item) => item.name === port)?.containerPort;
  expect(number).toBe(8080);
  const url = `${scheme.toLowerCase()}://127.0.0.1:${server.restPort}${path.replaceAll('{{.Name}}', name)}`;
  const status = scheme === 'HTTPS' ? await statusOverTls(url) : (await fetch(url)).status;
  return status >= 200 && status < 400;
}

/** The kubelet does not look at the certificate. */
function statusOverTls(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

async function isServing(address: string): Promise<boolean> {
  using client = Object.assign(new Client(address, credentials.createInsecure()), {
    [Symbol.dispose]: () => client.close(),
  });
  const same = (bytes: Buffer): Buffer => bytes;
  // Awaited here: the client is closed behind it.
  return await new Promise((resolve) => {
    client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, Buffer.alloc(0), (error, answer) =>
      resolve(error === null && answer?.equals(Buffer.from([0x08, 0x01])) === true),
    );
  });
}

/** As the kubelet puts a ConfigMap or Secret: the files are links through `..data`, which it replaces as a whole. */
async function mount(folder: string, round: string, files: Readonly<Record<string, string>>): Promise<void> {
  const root = join(scratch.path, folder);
  for (const [name, text] of Object.entries(files)) await scratch.put(`${folder}/..${round}/${name}`, text);
  await symlink(`..${round}`, join(root, '..next'));
  await rename(join(root, '..next'), join(root, '..data'));
  for (const name of Object.keys(files)) {
    await symlink(`..data/${name}`, join(root, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** The ConfigMap's file, with what comes with the image in this folder. */
function config(): string {
  const text = manifest(manifests, 'ConfigMap').document.data?.['config.json'] ?? '';
  return text.replaceAll('"/app/', `"${ROOT}/`);
}

const deployment = (file: string): Container => containerOf(manifest(manifests, 'Deployment', file));
const json = async (path: string): Promise<unknown> => (await fetch(`${server?.restUrl}${path}`)).json();
const isReady = async (name: string): Promise<boolean> =>
  (await fetch(`${server?.restUrl}/v2/models/${name}/ready`)).ok;

describe('the Deployment', () => {
  test('serves its ConfigMap, answers its probes, and takes a new ConfigMap without a restart', async () => {
    await mount('config', '1', { 'config.json': config() });
    const container = deployment('deployment.yaml');
    const { probe, server: running } = await start(container);
    for (const each of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
      expect(await probe(each)).toBe(true);
    }
    for (const name of ['sensor_gru', 'identity', 'counter']) expect(await isReady(name)).toBe(true);
    expect(running.logs()).not.toMatch(/"level":"(error|warn)"/);
    const { mediapipe_config_list: [, ...others] = [] } = JSON.parse(config()) as { mediapipe_config_list?: object[] };
    await mount('config', '2', { 'config.json': JSON.stringify({ mediapipe_config_list: others }) });
    await until(async () => !(await isReady('identity')));
    expect(await isReady('counter')).toBe(true);
  });

  test('with TLS and tokens: probes need neither, calls need both, the metrics a token on their own port', async () => {
    const authority = await TestAuthority.create(scratch.path);
    const { cert, key } = await authority.issue('server');
    const create = ['bin/millrace.js', 'token', 'create', '--name', 'me', '--scope', 'metrics'];
    const file = join(scratch.path, 'tokens.json');
    const { stdout } = await run(process.execPath, [...create, '--file', file], { cwd: ROOT });
    const token = /millrace_\S+/.exec(stdout)?.[0] ?? '';
    const text = (path: string): Promise<string> => readFile(path, 'utf8');
    await mount('config', '1', { 'config.json': config() });
    await mount('secrets/tls', '1', { 'tls.crt': await text(cert), 'tls.key': await text(key) });
    await mount('secrets/tokens', '1', { 'tokens.json': await text(file) });
    const container = deployment('secured.yaml');
    const { probe, flags, server: running } = await start(container, { tls: { ca: await readFile(authority.path) } });
    for (const each of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
      expect(each?.httpGet?.scheme).toBe('HTTPS');
      expect(await probe(each)).toBe(true);
    }
    expect(await statusOverTls(`${running.restUrl}/v2/models`)).toBe(401);
    const metrics = `http://127.0.0.1:${flags[0]?.split('=')[1]}/metrics`;
    expect((await fetch(metrics)).status).toBe(401);
    const answer = await fetch(metrics, { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.text()).toContain('millrace_');
  });

  test('client certificates: REST on the loopback and a probe that is a command, as docs/kubernetes.md has it', async () => {
    const authority = await TestAuthority.create(scratch.path);
    const { cert, key } = await authority.issue('server');
    await mount('config', '1', { 'config.json': config() });
    const page = await readFile(join(ROOT, 'docs/kubernetes.md'), 'utf8');
    const args = [...page.matchAll(/^ +- (--(?:tls|rest)_\S+)$/gm)].map(([, arg = '']) => arg);
    expect(args.map((arg) => arg.split('=')[0])).toEqual(['--tls_listeners', '--tls_client_ca', '--rest_bind_address']);
    const files = [`--tls_cert=${cert}`, `--tls_key=${key}`];
    const [listeners = '', , address = ''] = args;
    const more = { args: [...files, listeners, `--tls_client_ca=${authority.path}`, address] };
    const { server: running } = await start(deployment('deployment.yaml'), more);
    expect(await isServing(running.grpcAddress)).toBe(false);
    const env = { ...process.env, MILLRACE_REST_PORT: String(running.restPort) };
    expect(page).toContain('command: [node, healthcheck.mjs]');
    await run(process.execPath, ['scripts/healthcheck.mjs'], { cwd: ROOT, env });
  });
});

/** What KServe leaves at /mnt/models, for a service of that name. */
const LAYOUTS: readonly [what: string, runtime: string, name: string, put: () => Promise<unknown>][] = [
  ['a file', 'onnx', 'gru', () => scratch.copy(GRU, 'mnt/models/model.onnx')],
  ['a file of another name', 'onnx', 'gru', () => scratch.copy(GRU, 'mnt/models/gru-2024.onnx')],
  ['numbered versions', 'onnx', 'gru', () => scratch.copy(GRU, 'mnt/models/3/model.onnx')],
  ['a graph', 'onnx', 'count', () => scratch.copy(join(ROOT, 'graphs/counter/graph.pbtxt'), 'mnt/models/graph.pbtxt')],
  ['a Triton repository', 'triton', 'gru', () => scratch.copy(GRU, 'mnt/models/gru/1/model.onnx')],
  ['an MLServer folder that names its model', 'mlserver', 'text-model', () => putTextModel('text-model')],
  ['one that leaves it out', 'mlserver', 'other-name', () => putTextModel(undefined)],
];

async function putTextModel(name: string | undefined): Promise<void> {
  await scratch.copy(join(ROOT, 'examples/text-model/text-model.ts'), 'mnt/models/text-model.ts');
  await scratch.put('mnt/models/model-settings.json', { name, implementation: './text-model.ts' });
}

interface Predictor {
  readonly predictor: { readonly model: { readonly args?: readonly string[] } };
}

const runtime = (name: string): Container =>
  containerOf(manifest(manifests, 'ClusterServingRuntime', `${name}-runtime.yaml`));

describe('a KServe runtime', () => {
  test.each(LAYOUTS)('with %s (%s) serves it by the name of the InferenceService', async (_, kind, name, put) => {
    await put();
    const container = runtime(kind);
    const { probe } = await start(container, { name });
    await until(() => probe(container.readinessProbe));
    expect(await probe(container.livenessProbe)).toBe(true);
    expect(await json(`/v2/models/${name}`)).toMatchObject({ name });
  });

  test('takes the arguments of an InferenceService behind its own: the last one counts', async () => {
    await scratch.copy(GRU, 'mnt/models/model.onnx');
    const services = manifests.filter(({ document }) => document.kind === 'InferenceService');
    const models = services.map(({ document }) => (document.spec as Predictor).predictor.model);
    const args = models.flatMap((model) => model.args ?? []);
    expect(args).not.toEqual([]);
    const { command } = await start(runtime('onnx'), { name: 'detector', args });
    expect(command.filter((arg) => arg.startsWith('--shutdown_grace_s='))).toHaveLength(2);
    expect(await isReady('detector')).toBe(true);
    const explain = [...command, '--port=0', '--rest_port=0'].slice(1);
    const { stdout } = await run(process.execPath, ['bin/millrace.js', 'config', 'explain', ...explain], { cwd: ROOT });
    expect(stdout).toMatch(/shutdown_grace_s\s+45\b/);
  });

  test('whose model does not load lives, and is not ready', async () => {
    await scratch.put('mnt/models/model.onnx', 'not a model');
    const container = runtime('onnx');
    const { probe } = await start(container, { name: 'broken' });
    expect(await probe(container.livenessProbe)).toBe(true);
    expect(await probe(container.readinessProbe)).toBe(false);
  });
});
