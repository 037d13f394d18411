import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchPython } from '../../src/runtime/python/python-launcher.ts';
import { Cancellation } from '../../src/base/cancellation.ts';
import { MillraceError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { HostClient } from '../../src/ipc/host-client.ts';
import type { InferenceRequest, InferenceResponse } from '../../src/tensor/inference.ts';
import { encodeBytes, textData } from '../../src/tensor/bytes.ts';
import { DATATYPE_BYTES, DATATYPES } from '../../src/tensor/datatype.ts';
import { JsonParameter, Uint64 } from '../../src/tensor/parameters.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { Kept, request, start, type Started } from '../contracts/host-harness.ts';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';

const MODELS = join(ROOT, 'test/python/models');

const text = (value: string, name = 'command'): Tensor => ({
  name,
  datatype: 'BYTES',
  shape: [1],
  data: encodeBytes([value]),
});
const ask = (command: string, id = '', inputs: readonly Tensor[] = []): InferenceRequest =>
  request('m', [text(command), ...inputs], id);
const said = (response: InferenceResponse): string => textData(response.outputs[0] as Tensor).join();
const spec = (file: string, name: string, more: object = {}): object => ({
  kind: 'runtime',
  language: 'python',
  name: 'm',
  version: '1',
  module: join(MODELS, file),
  export: name,
  parameters: { greeting: 'hello' },
  ...more,
});

/** The host process of a test: made with its own diary. */
class PythonHost implements AsyncDisposable {
  readonly #started: Started;
  readonly #folder: ScratchFolder;

  private constructor(started: Started, folder: ScratchFolder) {
    this.#started = started;
    this.#folder = folder;
  }

  static async open(interpreter: string): Promise<PythonHost> {
    const folder = await ScratchFolder.create();
    const env = { ...process.env, MILLRACE_HOST_LOG_LEVEL: 'fatal', DIARY: join(folder.path, 'diary') };
    return new PythonHost(await start(() => launchPython(interpreter, env, silentLogger)), folder);
  }

  get client(): HostClient {
    return this.#started.client;
  }

  get started(): Started {
    return this.#started;
  }

  async diary(): Promise<string[]> {
    const written = await readFile(join(this.#folder.path, 'diary'), 'utf8').catch(() => '');
    return written.split('\n').filter((line) => line !== '');
  }

  infer(wanted: InferenceRequest, cancellation = new Cancellation()): Promise<InferenceResponse> {
    return this.client.infer(1, wanted, cancellation);
  }

  /** Opens a stream with one request, and closes its sending side unless told otherwise. */
  stream(command: string, keepsOpen = false) {
    const kept = new Kept();
    const port = this.client.openSession(1, request('m', []), kept, true);
    port.push(ask(command, 'first'));
    if (!keepsOpen) port.halfClose();
    return { kept, port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started.supervisor.close(2000);
    await this.#folder[Symbol.asyncDispose]();
  }
}

const failure = (promise: Promise<unknown>): Promise<MillraceError> =>
  promise.then(
    () => expect.fail('it succeeded'),
    (error: unknown) => MillraceError.from(error),
  );

describe.each([
  ['without MLServer', 'clients'],
  ["with the user's own MLServer", 'mlserver'],
] as const)('a Python runtime %s', (_title, environment) => {
  let host: PythonHost;
  beforeAll(async () => {
    host = await PythonHost.open(await pythonPath(environment));
    await host.client.loadServable(1, spec('commanded.py', 'Commanded'));
  });
  afterAll(() => host[Symbol.asyncDispose]());
  const until = (line: string): Promise<void> =>
    vi.waitFor(async () => expect(await host.diary()).toContain(line), { timeout: 20_000, interval: 20 });

  it('is told its parameters when it loads', async () => {
    expect(await host.diary()).toContain('load hello');
  });

  it('gets every datatype and gives it back bit for bit', async () => {
    const known = DATATYPES.filter((datatype) => datatype !== 'BF16' && datatype !== 'BYTES');
    const numbers = known.map((datatype): Tensor => {
      const size = 6 * DATATYPE_BYTES[datatype];
      const data = Uint8Array.from({ length: size }, (_, at) => (datatype === 'BOOL' ? at % 2 : (at * 37) % 120));
      return { name: datatype, datatype, shape: [2, 3], data };
    });
    const bytes: Tensor = {
      name: 'BYTES',
      datatype: 'BYTES',
      shape: [2, 2],
      data: encodeBytes(['ä', '', Buffer.from([0, 255, 254]), 'plain']),
    };
    const { outputs } = await host.infer(ask('echo', '', [...numbers, bytes]));
    expect(outputs.map(({ name }) => name)).toEqual([...known, 'BYTES']);
    outputs.forEach(({ data, shape, datatype }, at) => {
      const sent = [...numbers, bytes][at] as Tensor;
      expect([datatype, shape, Buffer.from(data)]).toEqual([sent.datatype, sent.shape, Buffer.from(sent.data)]);
    });
  });

  it('gets parameters of every kind, on the request and on inputs, and gives them back', async () => {
    const parameters = {
      yes: true,
      whole: -5n,
      name: 'ä',
      real: 0.5,
      big: new Uint64(2n ** 63n),
      list: new JsonParameter('[1, {"a": null}]'),
    };
    const input: Tensor = { ...text('x', 'x'), parameters: { content_type: 'str', own: 7n } };
    const response = await host.infer({ ...ask('echo', 'id', [input]), parameters });
    expect(response.parameters).toEqual(parameters);
    expect(response.outputs[0]?.parameters).toEqual({ content_type: 'str', own: 7n });
    expect(response).toMatchObject({ servable: 'm', version: '1', id: 'id' });
  });

  it('gets headers and gives some', async () => {
    const response = await host.infer({ ...ask('headers x-mine'), headers: { 'x-mine': 'value' } });
    expect(response.headers).toMatchObject({ 'x-seen': 'value' });
    expect(response.parameters).toBeUndefined();
  });

  it('sees text as str where it came as JSON and as bytes where it came by gRPC', async () => {
    const tensors = [text('x', 'x'), { ...text('', 'y'), data: encodeBytes([Buffer.from([255])]) }];
    expect(said(await host.infer(ask('kinds', '', tensors)))).toBe('bytes bytes bytes');
    const json = { ...ask('kinds', '', tensors), headers: { host: 'localhost' } };
    expect(said(await host.infer(json))).toBe('str str bytes');
  });

  it('may end the processes that it starts', async () => {
    expect(said(await host.infer(ask('children')))).toBe('-15 -15');
  });

  it('may answer nested lists, None for NaN, one element alone, whole floats as integers', async () => {
    const { outputs } = await host.infer(ask('lists'));
    const [nested, nan, one, whole] = outputs.map(({ data }) => Buffer.from(data));
    expect([0, 4, 8, 12].map((at) => nested?.readInt32LE(at))).toEqual([1, 2, 3, 4]);
    expect([nan?.readFloatLE(0), nan?.readFloatLE(4)]).toEqual([NaN, 1.5]);
    expect(one).toEqual(encodeBytes(['text']));
    expect(whole?.readBigInt64LE()).toBe(3n);
  });

  it('carries big tensors both ways while small calls go on', async () => {
    const data = Buffer.alloc(24 * 2 ** 20);
    for (let at = 0; at < data.length; at += 4096) data.writeUInt32LE(at, at);
    const big: Tensor = { name: 'big', datatype: 'UINT8', shape: [data.length], data };
    const answering = host.infer(ask('echo', '', [big]));
    expect(said(await host.infer(ask('kinds')))).toBe('bytes');
    expect(Buffer.from((await answering).outputs[0]?.data ?? []).equals(data)).toBe(true);
  });

  it('streams in order, each response with the id of the first request', async () => {
    const { kept } = host.stream('count 300');
    expect(await kept.ended).toBeUndefined();
    expect(kept.responses.map(said)).toEqual(Array.from({ length: 300 }, (_, at) => String(at + 1)));
    expect(new Set(kept.responses.map(({ id }) => id))).toEqual(new Set(['first']));
  });

  it('takes streams of requests, and answers one or many', async () => {
    const { kept, port } = host.stream('sum', true);
    port.push(ask('2', 'a'));
    port.push(ask('3', 'b'));
    await kept.until(() => kept.responses.length === 2);
    port.push(ask('4', 'c'));
    port.halfClose();
    expect(await kept.ended).toBeUndefined();
    expect(kept.responses.map(said)).toEqual(['first 2', 'first 5', 'first 9']);
    const last = host.stream('last', true);
    for (const word of ['x', 'y', 'z']) last.port.push(ask(word));
    last.port.halfClose();
    expect(await last.kept.ended).toBeUndefined();
    expect(last.kept.responses.map(said)).toEqual(['z']);
  });

  it('may end without a response', async () => {
    const { kept } = host.stream('nothing');
    expect(await kept.ended).toBeUndefined();
    expect(kept.responses).toEqual([]);
  });

  it('serves streams and calls side by side', async () => {
    const streams = Array.from({ length: 20 }, () => host.stream('slowly'));
    await Promise.all(streams.map(({ kept }) => kept.until(() => kept.responses.length >= 5)));
    expect(said(await host.infer(ask('kinds')))).toBe('bytes');
    for (const { port } of streams) port.abort(new MillraceError('CANCELLED', 'enough'));
  });

  it('is not pulled ahead of its reader', async () => {
    const { kept, port } = host.stream('count 1000');
    port.pause();
    await kept.until(() => kept.responses.length >= 1);
    await host.infer(ask('kinds'));
    await host.infer(ask('kinds'));
    const held = kept.responses.length;
    expect(held).toBeLessThan(10);
    port.abort(new MillraceError('CANCELLED', 'the client left'));
    await vi.waitFor(async () => {
      const ends = (await host.diary()).filter((line) => line.startsWith('end count') && line !== 'end count 300');
      expect(Number(ends[0]?.split(' ')[2])).toBeLessThanOrEqual(held + 1);
    });
    expect(await host.diary()).toContain('count GeneratorExit');
  });

  it('is cancelled at its await when the client leaves, and its finally runs', async () => {
    const { kept, port } = host.stream('wait');
    await until('start wait');
    port.abort(new MillraceError('CANCELLED', 'the client left'));
    await until('end wait 0');
    expect(await host.diary()).toContain('wait CancelledError');
    expect(await kept.ended).toMatchObject({ reason: 'CANCELLED' });
    const cancellation = new Cancellation();
    const hanging = failure(host.infer(ask('hang'), cancellation));
    cancellation.cancel(new MillraceError('DEADLINE_EXCEEDED', 'too late'));
    expect(await hanging).toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
  });

  it.each([
    ['fail 0', 0, 'RUNTIME_FAILED', 'INTERNAL', /^as asked$/],
    ['fail 5', 5, 'RUNTIME_FAILED', 'INTERNAL', /^as asked$/],
    ['refuse 400', 0, 'RUNTIME_FAILED', 'INVALID_ARGUMENT', /^no such prompt$/],
    ['refuse 404', 0, 'RUNTIME_FAILED', 'NOT_FOUND', /^no such prompt$/],
    ['refuse 422', 0, 'RUNTIME_FAILED', 'FAILED_PRECONDITION', /^no such prompt$/],
    ['refuse 503', 0, 'RUNTIME_FAILED', 'UNAVAILABLE', /^no such prompt$/],
    ['refuse 418', 0, 'RUNTIME_FAILED', 'UNKNOWN', /^no such prompt$/],
    ['panic', 0, 'RUNTIME_FAILED', 'INTERNAL', /^as if it were Rust$/],
    ['nonsense', 0, 'RUNTIME_FAILED', 'INTERNAL', /answer of runtime 'm': str given, an InferenceResponse expected/],
  ])('a stream that says "%s" ends after %i responses', async (command, count, reason, code, message) => {
    const { kept } = host.stream(command);
    const error = await kept.ended;
    expect(error).toMatchObject({ reason, code, message: expect.stringMatching(message) as string });
    expect(kept.responses).toHaveLength(count);
  });

  it.each([
    ['status 404', 'NOT_FOUND', /^as asked$/],
    ['status 500', 'INTERNAL', /^as asked$/],
    ['raise', 'INTERNAL', /no such thing/],
    ['exit', 'INTERNAL', /^7$/],
    ['panic', 'INTERNAL', /^as if it were Rust$/],
    ['cancel', 'INTERNAL', /the code of 'm' cancelled its own call/],
    ['nonsense', 'INTERNAL', /dict given, an InferenceResponse expected/],
    ['shape', 'INTERNAL', /output "y": 1 elements given, 3 expected for shape \[3\]/],
    ['elements', 'INTERNAL', /output "y": data is no INT8/],
  ])('a call that says "%s" fails', async (command, code, message) => {
    const error = await failure(host.infer(ask(command)));
    expect(error).toMatchObject({ reason: 'RUNTIME_FAILED', code, message: expect.stringMatching(message) as string });
    expect(error.message).not.toMatch(/Traceback|\.py/);
  });

  it('lets an input that is cut off fail its call alone', async () => {
    const cut = { ...text('x', 'x'), data: Buffer.from([9, 0, 0, 0, 1]) };
    expect(await failure(host.infer(ask('echo', '', [cut])))).toMatchObject({ reason: 'MALFORMED_BYTES' });
    expect(said(await host.infer(ask('kinds')))).toBe('bytes');
  });

  it('is unloaded after its last stream', async () => {
    const { kept, port } = host.stream('sum', true);
    port.push(ask('1'));
    await kept.until(() => kept.responses.length === 1);
    host.client.unload(1);
    expect(await failure(host.infer(ask('kinds')))).toMatchObject({ reason: 'SERVABLE_NOT_READY' });
    expect(await host.diary()).not.toContain('unload');
    port.halfClose();
    expect(await kept.ended).toBeUndefined();
    await until('unload');
  });
});

describe('a Python host', () => {
  let host: PythonHost;
  afterEach(() => host[Symbol.asyncDispose]());
  const open = async (wanted = spec('commanded.py', 'Commanded')): Promise<PythonHost> => {
    host = await PythonHost.open(await pythonPath());
    await host.client.loadServable(1, wanted);
    return host;
  };

  it('calls predict for each request of a stream where there is no predict_stream, and the other way round refuses', async () => {
    await open(spec('each.py', 'OnlyPredict'));
    const { kept, port } = host.stream('a', true);
    port.push(ask('b', 'second'));
    port.halfClose();
    expect(await kept.ended).toBeUndefined();
    expect(kept.responses.map((response) => [said(response), response.id])).toEqual([
      ['A', 'first'],
      ['B', 'second'],
    ]);
    await host.client.loadServable(2, spec('../../../examples/text-model-python/text_model.py', 'TextModel'));
    const unary = host.client.infer(2, ask('x'), new Cancellation());
    expect(await failure(unary)).toMatchObject({ reason: 'DECOUPLED_UNARY' });
  });

  it.each([
    ['each.py', 'Neither', /class Neither has neither predict nor predict_stream/],
    ['each.py', 'Nowhere', /class 'Nowhere' is not there in each\.py; it has LoadBlocks, .*OnlyPredict/],
    ['each.py', 'not_a_class', /class 'not_a_class' is no class in each\.py/],
    ['each.py', 'LoadRaises', /failed to load: RuntimeError: no weights \(each\.py, line \d+\)/],
    ['each.py', 'LoadFalse', /load\(\) gave False/],
    ['each.py', 'LoadPanics', /failed to load: BaseException: as if it were Rust/],
    ['each.py', 'LoadExits', /failed to load: SystemExit: 5/],
    ['none.py', 'X', /failed to load: ModuleNotFoundError: No module named 'none'/],
    [
      '../broken/missing_import.py',
      'Model',
      /ModuleNotFoundError: No module named 'surely_not_installed' \(missing_import\.py, line 1\)/,
    ],
    ['../broken/syntax.py', 'Model', /SyntaxError: .+ \(syntax\.py, line 2\)/],
  ])('tells why %s#%s does not load, and loads the next one', async (file, name, message) => {
    host = await PythonHost.open(await pythonPath());
    const error = await failure(host.client.loadServable(1, spec(file, name)));
    expect(error).toMatchObject({ reason: 'MODEL_INVALID', message: expect.stringMatching(message) as string });
    await host.client.loadServable(1, spec('each.py', 'OnlyPredict'));
    expect(said(await host.infer(ask('fine')))).toBe('FINE');
  });

  it('gives up a load that awaits for ever, and ends with one that blocks for ever or ends the process', async () => {
    host = await PythonHost.open(await pythonPath());
    const timed = spec('each.py', 'LoadHangs', { loadTimeoutMs: 300 });
    expect(await failure(host.client.loadServable(1, timed))).toMatchObject({
      reason: 'MODEL_INVALID',
      message: expect.stringContaining('did not end within 0.3 s') as string,
    });
    const stubborn = spec('each.py', 'LoadIsStubborn', { loadTimeoutMs: 300 });
    expect(await failure(host.client.loadServable(1, stubborn))).toMatchObject({ reason: 'MODEL_INVALID' });
    const blocking = host.client.loadServable(2, spec('each.py', 'LoadBlocks', { loadTimeoutMs: 300 }));
    expect(await failure(blocking)).toMatchObject({ reason: 'HOST_LOST', details: { whileLoading: true } });
    const next = await host.started.nextUp();
    const ending = next.loadServable(3, spec('../broken/ends.py', 'X'));
    expect(await failure(ending)).toMatchObject({ reason: 'HOST_LOST', details: { whileLoading: true } });
  });

  it('is not taken for hung while a generator computes without awaiting', async () => {
    await open();
    host.started.supervisor.limitSilence(1000, 'silent');
    const { kept } = host.stream('block 2 2.5');
    expect(await kept.ended).toBeUndefined();
    expect(kept.responses.map(said)).toEqual(['1', '2']);
  });

  it('ends a stream past its call deadline, and itself where the call does not return', async () => {
    await open(spec('commanded.py', 'Commanded', { callDeadlineMs: 400 }));
    const patient = host.stream('sum', true);
    const waiting = host.stream('wait');
    expect(await waiting.kept.ended).toMatchObject({ reason: 'CALL_TIMED_OUT', details: { servable: 'm' } });
    expect(await failure(host.infer(ask('hang')))).toMatchObject({ reason: 'CALL_TIMED_OUT' });
    patient.port.push(ask('1'));
    await patient.kept.until(() => patient.kept.responses.length === 1);
    const blocking = host.stream('block 1 600');
    expect(await blocking.kept.ended).toMatchObject({ reason: 'HOST_LOST', code: 'UNAVAILABLE' });
    expect(await patient.kept.ended).toMatchObject({ reason: 'HOST_LOST' });
    const next = await host.started.nextUp();
    await next.loadServable(1, spec('each.py', 'OnlyPredict'));
    expect(said(await next.infer(1, ask('back'), new Cancellation()))).toBe('BACK');
  });

  it('answers at the deadline of a call whose code goes on, and unloads the model after it', async () => {
    await open(spec('commanded.py', 'Commanded', { callDeadlineMs: 400 }));
    expect(await failure(host.infer(ask('stubborn')))).toMatchObject({ reason: 'CALL_TIMED_OUT' });
    expect(await failure(host.infer(ask('exit')))).toMatchObject({ reason: 'RUNTIME_FAILED', message: '7' });
    await vi.waitFor(async () => expect(await host.diary()).toContain('stubborn'), { timeout: 20_000 });
    expect(said(await host.infer(ask('release')))).toBe('');
    host.client.unload(1);
    await vi.waitFor(async () => expect(await host.diary()).toContain('unload'), { timeout: 20_000 });
    expect((await host.diary()).slice(-3)).toEqual(['stubborn', 'released', 'unload']);
  });

  it('that dies tells its streams, which keep what they had, and another takes its place', async () => {
    await open();
    const other = host.stream('sum', true);
    const { kept } = host.stream('die');
    expect(await kept.ended).toMatchObject({ reason: 'HOST_LOST', code: 'UNAVAILABLE' });
    expect(kept.responses.map(said)).toEqual(['last words']);
    expect(await other.kept.ended).toMatchObject({ reason: 'HOST_LOST' });
    const next = await host.started.nextUp();
    await next.loadServable(1, spec('commanded.py', 'Commanded'));
    expect(said(await next.infer(1, ask('kinds'), new Cancellation()))).toBe('bytes');
  });
});
