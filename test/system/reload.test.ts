import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OpenStream } from '../support/open-stream.ts';
import { ROOT } from '../support/paths.ts';
import { configStatus, reasonOf, versionStates } from '../support/repository-states.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** How long a change may take to be seen; ample on a busy machine. */
const SEEN = { timeout: 20_000 };
const NOT_FOUND = 5;

const graphOf = (calculator: string): string => `
  input_stream: "input"
  output_stream: "output"
  node { calculator: "${calculator}" input_stream: "input" output_stream: "output" }
`;
/** Adds up what a stream sent. */
const COUNTER = graphOf('CounterCalculator');
/** Gives back what was sent. */
const PASS = graphOf('PassThroughCalculator');
const model = (name: string): string => join(ROOT, `test/fixtures/models/${name}.onnx`);
const BOTH = { mediapipe_config_list: [{ name: 'edited' }, { name: 'kept' }] };

/** A runtime that multiplies what it is sent. */
const timesRuntime = (factor: number): string => `
  const tensor = { datatype: 'FP32', shape: [1] };
  export default {
    inputs: [{ name: 'input', ...tensor }],
    outputs: [{ name: 'output', ...tensor }],
    decoupled: true,
    async *predictStream(requests) {
      for await (const { inputs: [{ data }] } of requests) {
        const value = Float32Array.of(Buffer.from(data).readFloatLE(0) * ${factor});
        yield { outputs: [{ name: 'output', ...tensor, data: new Uint8Array(value.buffer) }] };
      }
    },
  };
`;

/** What a new session's second answer is when it is sent 1 and 2: 3 from COUNTER, 2 from PASS. */
async function secondAnswer(server: TestServer, servable: string): Promise<number> {
  const stream = new OpenStream(server.grpcAddress, servable);
  await stream.add(1);
  const answer = await stream.add(2);
  expect(await stream.close()).toBe(0);
  return answer;
}

/** A new session's end, which comes at once where the servable is not there. */
async function refusal(server: TestServer, servable: string): Promise<{ code: number; text: string }> {
  const stream = new OpenStream(server.grpcAddress, servable);
  void stream.add(1);
  const code = await stream.ended;
  return { code, text: stream.text };
}

async function modelVersions(server: TestServer, name: string): Promise<unknown> {
  const response = await fetch(`${server.restUrl}/v2/models/${name}`);
  return response.ok ? ((await response.json()) as { versions: string[] }).versions : response.status;
}

const infer = async (server: TestServer, name: string, value: number): Promise<unknown> => {
  const response = await fetch(`${server.restUrl}/v2/models/${name}/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1], data: [value] }] }),
  });
  const body = (await response.json()) as { outputs?: { data: number[] }[] };
  return response.ok ? body.outputs?.[0]?.data[0] : body;
};

describe('files that are looked at every tenth of a second', () => {
  let folder: ScratchFolder;
  let server: TestServer;

  beforeAll(async () => {
    folder = await ScratchFolder.create();
    await folder.put('edited/graph.pbtxt', COUNTER);
    await folder.put('kept/graph.pbtxt', COUNTER);
    await folder.copy(model('identity_fp32'), 'echo/1/model.onnx');
    const config = await folder.put('config.json', {
      ...BOTH,
      model_config_list: [{ config: { name: 'echo', base_path: 'echo' } }],
      runtimes: [
        { name: 'own', implementation: await folder.put('own.js', timesRuntime(10)) },
        { name: 'shared', implementation: await folder.put('shared.js', timesRuntime(10)), isolation: 'shared' },
      ],
    });
    server = await startServer({ config, flags: ['--file_system_poll_wait_seconds', '0.1', '--hosts', '1'] });
  });
  afterAll(async () => {
    await server.stop();
    await folder[Symbol.asyncDispose]();
  });

  it('an edited graph serves new sessions; one that is open keeps the old graph, and its state, to its end', async () => {
    const open = new OpenStream(server.grpcAddress, 'edited');
    expect(await open.add(1)).toBe(1);
    await folder.put('edited/graph.pbtxt', PASS);
    await expect.poll(() => secondAnswer(server, 'edited'), SEEN).toBe(2);
    expect(await open.add(2)).toBe(3);
    expect(await secondAnswer(server, 'edited')).toBe(2);
    expect(await open.add(3)).toBe(6);
    expect(await open.close()).toBe(0);
  });

  it('a broken edit leaves the old graph serving and shows where the fault is; mended, it serves', async () => {
    await folder.put('edited/graph.pbtxt', PASS.replace('output_stream: "output" }', 'output_strem: "output" }'));
    await expect.poll(() => reasonOf(server, 'edited'), SEEN).toMatch(/graph\.pbtxt:4.*output_strem/s);
    expect(await versionStates(server, 'edited')).toEqual(['1 READY']);
    expect((await configStatus(server))['edited']).toMatchObject([
      { state: 'AVAILABLE', status: { error_message: expect.stringContaining('output_strem') as string } },
    ]);
    expect(await secondAnswer(server, 'edited')).toBe(2);
    await folder.put('edited/graph.pbtxt', COUNTER);
    await expect.poll(() => secondAnswer(server, 'edited'), SEEN).toBe(3);
    expect(await reasonOf(server, 'edited')).toBe('');
  });

  it('a graph file that went away leaves the old graph serving; back again, all is well', async () => {
    await folder.remove('edited/graph.pbtxt');
    await expect.poll(() => reasonOf(server, 'edited'), SEEN).toMatch(/graph\.pbtxt.*does not exist/);
    expect(await versionStates(server, 'edited')).toEqual(['1 READY']);
    expect(await secondAnswer(server, 'edited')).toBe(3);
    await folder.put('edited/graph.pbtxt', COUNTER);
    await expect.poll(() => reasonOf(server, 'edited'), SEEN).toBe('');
    expect(await secondAnswer(server, 'edited')).toBe(3);
  });

  it('a new version takes over without a moment in which the model is not served', async () => {
    expect(await modelVersions(server, 'echo')).toEqual(['1']);
    let isOver = false;
    const load = (async () => {
      const answers = new Set<unknown>();
      while (!isOver) answers.add(JSON.stringify(await infer(server, 'echo', 7)));
      return [...answers];
    })();
    await folder.copy(model('identity_fp32'), 'echo/2/model.onnx');
    await expect.poll(() => modelVersions(server, 'echo'), SEEN).toEqual(['2']);
    await expect.poll(() => versionStates(server, 'echo'), SEEN).toEqual(['2 READY']);
    isOver = true;
    expect(await load).toEqual(['7']);
  });

  it('a new version that cannot be loaded leaves the old one serving, and is listed with its reason', async () => {
    await folder.copy(model('truncated'), 'echo/3/model.onnx');
    await expect.poll(() => versionStates(server, 'echo'), SEEN).toEqual(['2 READY', '3 UNAVAILABLE']);
    await expect.poll(() => reasonOf(server, 'echo'), SEEN).toMatch(/model\.onnx/);
    expect(await modelVersions(server, 'echo')).toEqual(['2']);
    expect(await infer(server, 'echo', 8)).toBe(8);
    await folder.copy(model('identity_fp32'), 'echo/3/model.onnx');
    await expect.poll(() => versionStates(server, 'echo'), SEEN).toEqual(['3 READY']);
    await folder.remove('echo/3');
    await expect.poll(() => versionStates(server, 'echo'), SEEN).toEqual(['2 READY']);
    expect(await infer(server, 'echo', 9)).toBe(9);
  });

  it.each(['own', 'shared'])(
    'an edited runtime (isolation: %s) serves new sessions, the old one those that are open',
    async (name) => {
      const open = new OpenStream(server.grpcAddress, name);
      expect(await open.add(1)).toBe(10);
      await folder.put(`${name}.js`, timesRuntime(100));
      await expect.poll(() => secondAnswer(server, name), SEEN).toBe(200);
      expect(await open.add(3)).toBe(30);
      await folder.put(`${name}.js`, 'export default {');
      await expect.poll(() => reasonOf(server, name), SEEN).toMatch(new RegExp(`${name}\\.js: `));
      expect(await secondAnswer(server, name)).toBe(200);
      expect([await open.add(4), await open.close()]).toEqual([40, 0]);
    },
  );

  it('a servable that was removed is not found; an open session goes on; added again, it serves', async () => {
    const open = new OpenStream(server.grpcAddress, 'edited');
    expect(await open.add(1)).toBe(1);
    await folder.put('config.json', { mediapipe_config_list: [{ name: 'kept' }] });
    await expect.poll(() => versionStates(server, 'edited'), SEEN).toEqual([]);
    expect(await refusal(server, 'edited')).toMatchObject({
      code: NOT_FOUND,
      text: expect.stringContaining('edited') as string,
    });
    expect(await open.add(2)).toBe(3);
    expect(await secondAnswer(server, 'kept')).toBe(3);
    await folder.put('config.json', BOTH);
    await expect.poll(() => versionStates(server, 'edited'), SEEN).toEqual(['1 READY']);
    expect(await secondAnswer(server, 'edited')).toBe(3);
    expect(await open.add(3)).toBe(6);
    expect(await open.close()).toBe(0);
  });

  it('a configuration that is not JSON changes nothing, and the next good one is taken', async () => {
    await folder.put('config.json', '{ "mediapipe_config_list": [ }');
    await expect.poll(() => server.logs(), SEEN).toMatch(/config\.json:1:\d+: not valid JSON/);
    expect(await secondAnswer(server, 'kept')).toBe(3);
    expect(await secondAnswer(server, 'edited')).toBe(3);
    await folder.put('config.json', {
      mediapipe_config_list: [{ name: 'kept' }, { name: 'later', base_path: 'kept' }],
    });
    await expect.poll(() => versionStates(server, 'later'), SEEN).toEqual(['1 READY']);
    expect(await secondAnswer(server, 'later')).toBe(3);
  });
});

it('POST /v1/config/reload: 201 when something changed, 200 when nothing did, and why not when it cannot', async () => {
  await using folder = await ScratchFolder.create();
  await folder.put('edited/graph.pbtxt', COUNTER);
  await folder.put('kept/graph.pbtxt', COUNTER);
  const config = await folder.put('config.json', BOTH);
  await using server = await startServer({
    config,
    flags: ['--file_system_poll_wait_seconds', '0', '--hosts', '1'],
  });
  const reload = async (): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`${server.restUrl}/v1/config/reload`, { method: 'POST' });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  expect(await reload()).toMatchObject({ status: 200, body: { edited: {}, kept: {} } });

  await folder.put('edited/graph.pbtxt', PASS);
  expect(await secondAnswer(server, 'edited')).toBe(3);
  const available = { model_version_status: [{ state: 'AVAILABLE', status: { error_code: 'OK' } }] };
  expect(await reload()).toMatchObject({ status: 201, body: { edited: available, kept: available } });
  expect(await secondAnswer(server, 'edited')).toBe(2);
  expect((await reload()).status).toBe(200);

  await folder.put('config.json', { mediapipe_config_list: [{ name: 'kept' }] });
  const { status, body } = await reload();
  expect([status, Object.keys(body)]).toEqual([201, ['kept']]);
  expect((await refusal(server, 'edited')).code).toBe(NOT_FOUND);

  await folder.put('config.json', '[]');
  expect(await reload()).toMatchObject({
    status: 412,
    body: { error: expect.stringContaining('config.json') as string, reason: 'CONFIG_INVALID' },
  });
  expect(await secondAnswer(server, 'kept')).toBe(3);
  await folder.put('config.json', { mediapipe_config_list: [{ name: 'kept' }] });
  expect((await reload()).status).toBe(200);
});

it('what ends every host that loads it is given up; all others serve, and it does too once it is mended', async () => {
  await using folder = await ScratchFolder.create();
  await folder.put('kept/graph.pbtxt', COUNTER);
  const implementation = await folder.put('lethal.js', 'process.exit(7);');
  const config = await folder.put('config.json', {
    mediapipe_config_list: [{ name: 'kept' }],
    runtimes: [{ name: 'lethal', implementation, isolation: 'shared' }],
  });
  await using server = await startServer({
    config,
    flags: ['--file_system_poll_wait_seconds', '0', '--hosts', '1'],
  });
  await expect.poll(() => reasonOf(server, 'lethal'), SEEN).toMatch(/being loaded, .* 2 times in a row/);
  const kept = async (): Promise<number> => {
    const body = JSON.stringify({ inputs: [{ name: 'input', datatype: 'FP32', shape: [1], data: [1] }] });
    return (await fetch(`${server.restUrl}/v2/models/kept/infer`, { method: 'POST', body })).status;
  };
  await expect.poll(kept, SEEN).toBe(200);
  expect(await secondAnswer(server, 'kept')).toBe(3);
  await folder.put('lethal.js', timesRuntime(10));
  await fetch(`${server.restUrl}/v1/config/reload`, { method: 'POST' });
  expect(await versionStates(server, 'lethal')).toEqual(['1 READY']);
});

it('a graph tells the shape of the model that it runs now, also after that changed', async () => {
  await using folder = await ScratchFolder.create();
  const tensors = ['INPUT', 'OUTPUT'].map(
    (name) => `tag_to_${name.toLowerCase()}_tensor_names { key: "${name}" value: "${name}" }`,
  );
  await folder.put(
    'g/graph.pbtxt',
    `input_stream: "in" output_stream: "out"
     node { calculator: "OpenVINOModelServerSessionCalculator" output_side_packet: "SESSION:session"
       node_options { [type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions] { servable_name: "m" } } }
     node { calculator: "OpenVINOInferenceCalculator" input_side_packet: "SESSION:session"
       input_stream: "INPUT:in" output_stream: "OUTPUT:out"
       node_options { [type.googleapis.com/mediapipe.OpenVINOInferenceCalculatorOptions] { ${tensors.join(' ')} } } }`,
  );
  await folder.copy(model('identity_fp32'), 'm.onnx');
  const config = await folder.put('config.json', {
    mediapipe_config_list: [{ name: 'g' }],
    model_config_list: [{ config: { name: 'm', base_path: 'm.onnx' } }],
  });
  await using server = await startServer({ config, flags: ['--file_system_poll_wait_seconds', '0', '--hosts', '1'] });
  const datatype = async (): Promise<string | undefined> => {
    const response = await fetch(`${server.restUrl}/v2/models/g`);
    return ((await response.json()) as { inputs: { datatype: string }[] }).inputs[0]?.datatype;
  };
  expect(await datatype()).toBe('FP32');
  await folder.copy(model('identity_int32'), 'm.onnx');
  await fetch(`${server.restUrl}/v1/config/reload`, { method: 'POST' });
  expect(await datatype()).toBe('INT32');
});
