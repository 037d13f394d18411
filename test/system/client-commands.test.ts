import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

let server: TestServer;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-client-'));
  server = await startServer();
}, 60_000);
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function millrace(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['bin/millrace.js', ...args], { cwd: ROOT }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}
const grpc = (): string[] => ['-u', server.grpcAddress];
const rest = (): string[] => ['-i', 'rest', '-u', server.restUrl];
const QUICK = ['-p', '50', '-s', '1000', '--warmup', '0'];

it('models: what is served, with tensors', async () => {
  const { code, stdout } = await millrace('models', ...grpc());
  expect(code).toBe(0);
  expect(stdout).toMatch(/^NAME +VERSION +STATE +INPUTS +OUTPUTS$/m);
  expect(stdout).toMatch(/^counter +1 +READY +input FP32\[1\] +output FP32\[1\]$/m);
  const { stdout: json } = await millrace('models', '--json', ...grpc());
  expect(JSON.parse(json)).toContainEqual(expect.objectContaining({ name: 'words', state: 'READY' }));
});

it.each([
  ['gRPC', grpc],
  ['REST', rest],
])('infer over %s: one answer, and a stream of them', async (_, where) => {
  const one = await millrace('infer', 'counter', '--input', 'input=2.5', ...where());
  expect(one).toEqual({
    code: 0,
    stdout: '{"name":"output","datatype":"FP32","shape":[1],"data":[2.5]}\n',
    stderr: '',
  });
  const many = await millrace('infer', 'words', '--stream', '--input', 'prompt=two words', ...where());
  expect(many.stdout.match(/"data":\["[^"]*"\]/g)).toEqual(['"data":["two"]', '"data":[" words"]']);
});

it('infer says what is wrong', async () => {
  const wrongName = await millrace('infer', 'counter', '--input', 'inptu=2', ...grpc());
  expect(wrongName).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('"counter" takes input (FP32 [1])') as string,
  });
  const wrongShape = await millrace('infer', 'counter', '--input', 'input=[1,2]', ...grpc());
  expect(wrongShape.stderr).toContain('input "input": 2 values given, shape [1] expected');
  const unknown = await millrace('infer', 'nothing', '--input', 'x=1', ...grpc());
  expect(unknown).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^millrace: NOT_FOUND: .*nothing/) as string,
  });
  const nobody = await millrace('infer', 'counter', '--input', 'x=1', '-u', '127.0.0.1:1');
  expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('UNAVAILABLE') as string });
  const flag = await millrace('infer', 'counter', '--inputs', 'x=1');
  expect(flag).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean "--input"') as string });
});

it.each<[string, string, () => string[]]>([
  ['unary gRPC', 'counter', grpc],
  ['gRPC streams', 'counter', () => [...grpc(), '--streaming']],
  ['decoupled gRPC streams', 'words', () => [...grpc(), '--streaming']],
  ['a gRPC stream per request', 'words', () => [...grpc(), '--stream_per_request']],
  ['REST', 'counter', rest],
  ['REST without the binary extension', 'counter', () => [...rest(), '--no-binary']],
  ['server-sent events', 'words', () => [...rest(), '--streaming']],
  ['a rate', 'counter', () => [...grpc(), '--request_rate_range', '200']],
  ['sequences', 'counter', () => [...grpc(), '--streaming', '--sequence_length', '3']],
])('perf over %s', async (_, model, where) => {
  const { code, stdout, stderr } = await millrace(
    'perf',
    model,
    '--string-data',
    'a b c',
    '--json',
    '-',
    ...QUICK,
    ...where(),
  );
  expect([stderr, code]).toEqual(['', 0]);
  const { levels } = JSON.parse(stdout) as { levels: { requests: number; responses: number; failures: number }[] };
  const [level] = levels;
  expect(level?.failures).toBe(0);
  expect(level?.requests).toBeGreaterThan(0);
  expect(level?.responses).toBe((level?.requests ?? 0) * (model === 'words' ? 3 : 1));
});

it('perf sweeps, and writes CSV and a plot', async () => {
  const [csv, plot, data] = ['a.csv', 'a.svg', 'data.json'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(data, JSON.stringify({ data: [{ input: [1] }, { input: [2] }] }));
  const files = ['--csv', csv, '--plot', plot, '--input-data', data];
  const { code, stdout } = await millrace(
    'perf',
    'counter',
    '--concurrency-range',
    '1:4:x2',
    ...files,
    ...QUICK,
    ...grpc(),
  );
  expect(code).toBe(0);
  expect(stdout.match(/^Concurrency \d+/gm)).toEqual(['Concurrency 1', 'Concurrency 2', 'Concurrency 4']);
  const rows = (await readFile(csv, 'utf8')).trim().split('\n');
  expect(rows).toHaveLength(4);
  expect(rows[0]).toMatch(/^Concurrency,Inferences\/Second,/);
  expect(await readFile(plot, 'utf8')).toMatch(/^<svg[^]*<title>4<\/title>[^]*<\/svg>\n$/);
});

it('perf counts what the server refuses, and fails', async () => {
  const { code, stdout } = await millrace('perf', 'detect', '--shape', 'image:2,2,7', ...QUICK, '-r', '1', ...grpc());
  expect(code).toBe(1);
  expect(stdout).toMatch(/\d+ requests failed, the first with: .*ImageFrame/);
  const shape = await millrace('perf', 'identity', ...grpc());
  expect(shape).toMatchObject({ code: 2, stderr: expect.stringContaining('say --shape INPUT0:N') as string });
});
