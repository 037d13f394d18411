/** The stream manager's protocol, by what was seen of Roboflow's (sheet §2 and §7). */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MillraceError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { PipelineManager } from '../../../src/pipelines/pipeline-manager.ts';
import { parsePipelinesConfig } from '../../../src/pipelines/pipelines-config.ts';
import { RoboflowCommands } from '../../../src/pipelines/roboflow/commands.ts';
import { listenManager, type ManagerListener } from '../../../src/protocol/manager/listen-manager.ts';
import { FakePipelineHosts } from '../../support/fake-pipeline-hosts.ts';
import { command, frame, ManagerConnection } from '../../support/stream-manager.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const INIT = {
  type: 'init',
  model_id: 'some/1',
  video_reference: 'rtsp://192.168.0.1:554',
  sink_configuration: { type: 'udp_sink', host: '192.168.0.3', port: 9999 },
  api_key: 'YOUR-API-KEY',
  max_fps: 16,
  model_configuration: {
    type: 'object-detection',
    class_agnostic_nms: true,
    confidence: 0.5,
    iou_threshold: 0.4,
    max_candidates: 300,
    max_detections: 3000,
  },
  video_source_properties: { frame_width: 1920, frame_height: 1080, fps: 30 },
};

let hosts: FakePipelineHosts;
let manager: PipelineManager;
let listener: ManagerListener;
let strict: ManagerListener;
let isRefusing = false;

async function listen(keep_failed: boolean): Promise<ManagerListener> {
  const config = parsePipelinesConfig({ keep_failed });
  const own = new PipelineManager({ config, baseFolder: '/' }, hosts, silentLogger);
  if (!keep_failed) manager = own;
  const ownerOf = (): object => {
    if (isRefusing) throw new MillraceError('UNAUTHENTICATED', 'the token is not valid');
    return {};
  };
  const options = { host: '127.0.0.1', port: 0, maxMessageBytes: 1 << 20, timeoutMs: 600, ownerOf };
  return listenManager(options, new RoboflowCommands(own), silentLogger);
}

beforeAll(async () => {
  hosts = new FakePipelineHosts();
  listener = await listen(false);
  strict = await listen(true);
});
beforeEach(() => {
  isRefusing = false;
});
afterAll(async () => {
  await listener[Symbol.asyncDispose]();
  await strict[Symbol.asyncDispose]();
  await manager[Symbol.asyncDispose]();
});

const ask = (payload: unknown) => command(listener.port, payload);
const send = async (bytes: Buffer) => (await ManagerConnection.open(listener.port)).send(bytes);

describe('malformed input', () => {
  test.each([
    ['no type', {}, 'invalid_payload', 'KeyError', "'type'"],
    ['unknown type', { type: 'dance' }, 'invalid_payload', 'ValueError', "'dance' is not a valid CommandType"],
    ['null type', { type: null }, 'invalid_payload', 'ValueError', 'None is not a valid CommandType'],
    ['no id', { type: 'status' }, 'invalid_payload', 'KeyError', "'pipeline_id'"],
    ['id is a list', { type: 'mute', pipeline_id: [1] }, 'internal_error', 'TypeError', "unhashable type: 'list'"],
    ['an array', [], 'internal_error', 'TypeError', 'list indices must be integers or slices, not str'],
    ['a text', 'x', 'internal_error', 'TypeError', "string indices must be integers, not 'str'"],
    ['a number', 5, 'internal_error', 'TypeError', "'int' object is not subscriptable"],
    ['null', null, 'internal_error', 'TypeError', "'NoneType' object is not subscriptable"],
  ])('%s', async (_, payload, error_type, error_class, error_message) => {
    const { response, pipeline_id, request_id } = await ask(payload);
    expect(response).toEqual({ status: 'failure', error_type, error_class, error_message });
    expect(pipeline_id).toBeNull();
    expect(request_id).toMatch(UUID);
  });

  test.each(['status', 'mute', 'resume', 'terminate'])(
    '%s of an unknown id: not_found, the id echoed',
    async (type) => {
      const { response, pipeline_id } = await ask({ type, pipeline_id: 'my_pipeline' });
      expect(response).toMatchObject({ status: 'failure', error_type: 'not_found' });
      expect(response).not.toHaveProperty('error_class');
      expect(pipeline_id).toBe('my_pipeline');
    },
  );

  test('an id that is a number is not found, and echoed as a number', async () => {
    const answer = await ask({ type: 'status', pipeline_id: 7 });
    expect(answer.response['error_type']).toBe('not_found');
    expect(answer.pipeline_id).toBe(7);
  });

  test.each([
    ['not JSON', frame('{type')],
    ['not UTF-8', frame(Buffer.from([0x22, 0xff, 0xfe, 0xfd, 0x22]))],
    ['surplus bytes', Buffer.concat([frame('{"type":"list_pipelines"}'), Buffer.from('x')])],
    ['two requests at once', Buffer.concat([frame('{"type":"list_pipelines"}'), frame('{"type":"list_pipelines"}')])],
  ])('%s: one answer, MalformedPayloadError', async (_, bytes) => {
    const { response } = await (await send(bytes)).answer();
    expect(response).toEqual({
      status: 'failure',
      error_type: 'invalid_payload',
      error_class: 'MalformedPayloadError',
      error_message: 'Received payload that is not in a JSON format',
    });
  });

  test('length 0', async () => {
    const { response } = await (await send(Buffer.alloc(4))).answer();
    expect(response['error_class']).toBe('MalformedHeaderError');
    expect(response['error_message']).toBe('Header is indicating non positive payload size: 0');
  });

  test.each([
    ['connect and close', Buffer.alloc(0), "b''"],
    ['two bytes and close', Buffer.alloc(2), "b'\\x00\\x00'"],
  ])('%s', async (_, bytes, shown) => {
    const connection = await send(bytes);
    connection.socket.end();
    const { response } = await connection.answer();
    expect(response['error_message']).toBe(`Expected header size: 4, received: ${shown}`);
    expect(response).toMatchObject({ error_type: 'internal_error', error_class: 'MalformedHeaderError' });
  });

  test('two bytes of a header and no more', async () => {
    const { response } = await (await send(Buffer.alloc(2))).answer();
    expect(response['error_class']).toBe('MalformedHeaderError');
  });

  test('a body that is cut by the close', async () => {
    const connection = await send(frame('{"type":"list_pipelines"}').subarray(0, 10));
    connection.socket.end();
    const { response } = await connection.answer();
    expect(response).toMatchObject({ error_type: 'internal_error', error_class: 'TransmissionChannelClosed' });
  });

  test.each([
    ['a length above the cap', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('%s is refused at once', async (_, bytes) => {
    const { response } = await (await send(bytes)).answer();
    expect(response).toMatchObject({ error_type: 'internal_error', error_class: 'MalformedHeaderError' });
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half a body', frame('{"type":"list_pipelines"}').subarray(0, 10)],
  ])('%s sent: timed out, however the bytes drip', async (_, bytes) => {
    const connection = await send(bytes);
    const drip = setInterval(() => connection.socket.write(bytes.length === 0 ? '' : ' '), 100);
    const { response } = await connection.answer();
    clearInterval(drip);
    expect(response).toEqual({
      status: 'failure',
      error_type: 'internal_error',
      error_class: 'TimeoutError',
      error_message: 'timed out',
    });
  });
});

describe('what is taken', () => {
  test('a body in several segments, the header too', async () => {
    const bytes = frame('{"type":"list_pipelines"}');
    const connection = await send(bytes.subarray(0, 2));
    for (const part of [bytes.subarray(2, 4), bytes.subarray(4, 9), bytes.subarray(9)]) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      connection.send(part);
    }
    expect((await connection.answer()).response.status).toBe('success');
  });

  test.each([
    ['a BOM', Buffer.from('\uFEFF{"type":"list_pipelines"}')],
    ['UTF-16', Buffer.from('\uFEFF{"type":"list_pipelines"}', 'utf16le')],
    ['NaN', Buffer.from('{"type":"list_pipelines","x":[NaN,-Infinity,"NaN"]}')],
    ['extra keys', Buffer.from('{"type":"list_pipelines","x":1}')],
  ])('%s', async (_, body) => {
    expect((await (await send(frame(body))).answer()).response).toEqual({
      pipelines: expect.any(Array) as unknown,
      status: 'success',
    });
  });
});

describe('init', () => {
  test("the page's own command; its settings reach the pipeline", async () => {
    const { response, pipeline_id, text } = await ask(INIT);
    expect(response).toEqual({ status: 'success' });
    expect(pipeline_id).toMatch(UUID);
    expect(text).toMatch(/^\{"request_id": "[^"]+", "response": \{"status": "success"\}, "pipeline_id": "[^"]+"\}$/);
    const { program } = hosts.runOf(String(pipeline_id));
    expect(program.pipeline).toMatchObject({
      model_id: 'some',
      max_fps: 16,
      model_configuration: { confidence: 0.5, class_agnostic_nms: true, max_detections: 3000, nms: 'roboflow' },
      video_source_properties: { frame_width: 1920, frame_height: 1080, fps: 30 },
      sinks: [{ type: 'udp', host: '192.168.0.3', port: 9999 }],
    });
    await ask({ type: 'terminate', pipeline_id });
  });

  const without = (key: keyof typeof INIT): object => {
    const { [key]: _, ...rest } = INIT;
    return rest;
  };
  const NOT_IMPLEMENTED = 'NotImplementedError';
  test.each([
    ['no sink', without('sink_configuration'), 'invalid_payload', 'KeyError', "'sink_configuration'"],
    [
      'no host',
      { ...INIT, sink_configuration: { type: 'udp_sink', port: 1 } },
      'invalid_payload',
      'KeyError',
      "'host'",
    ],
    [
      'no port',
      { ...INIT, sink_configuration: { type: 'udp_sink', host: 'a' } },
      'invalid_payload',
      'KeyError',
      "'port'",
    ],
    [
      'another sink',
      { ...INIT, sink_configuration: { type: 'tcp' } },
      'invalid_payload',
      NOT_IMPLEMENTED,
      'Only `udp_socket` sink type is supported',
    ],
    ['no model configuration', without('model_configuration'), 'invalid_payload', 'KeyError', "'model_configuration'"],
    ['no model type', { ...INIT, model_configuration: {} }, 'invalid_payload', 'KeyError', "'type'"],
    [
      'another model type',
      { ...INIT, model_configuration: { type: 'classification' } },
      'invalid_payload',
      NOT_IMPLEMENTED,
      'Only object-detection models are supported',
    ],
    ['no model id', without('model_id'), 'invalid_payload', 'KeyError', "'model_id'"],
    ['no video', without('video_reference'), 'invalid_payload', 'KeyError', "'video_reference'"],
    ['an unknown model', { ...INIT, model_id: 'nope/1' }, 'not_found', 'RoboflowAPINotNotFoundError', undefined],
    [
      'a malformed model id',
      { ...INIT, model_id: 'nope' },
      'internal_error',
      'InvalidModelIDError',
      'Model ID: `nope` is invalid.',
    ],
    ['a wrong strategy', { ...INIT, source_buffer_filling_strategy: 'x' }, 'internal_error', 'ValueError', undefined],
    ['no videos', { ...INIT, video_reference: [] }, 'internal_error', 'ValueError', undefined],
    [
      'properties of another length',
      { ...INIT, video_source_properties: [null, null] },
      'internal_error',
      'ValueError',
      undefined,
    ],
    [
      'a video that is not allowed',
      { ...INIT, video_reference: 'concat:/etc/passwd' },
      'invalid_payload',
      'PermissionError',
      undefined,
    ],
  ])('%s', async (_, payload, error_type, error_class, error_message) => {
    const before = (await ask({ type: 'list_pipelines' })).response['pipelines'];
    const { response, pipeline_id } = await ask(payload);
    expect(response).toMatchObject({ status: 'failure', error_type, error_class });
    if (error_message !== undefined) expect(response['error_message']).toBe(error_message);
    // The id is told, and nothing is left behind.
    expect(pipeline_id).toMatch(UUID);
    expect((await ask({ type: 'list_pipelines' })).response['pipelines']).toEqual(before);
  });

  test('strategies in any case, a port that is none, no api_key: taken', async () => {
    const { api_key: _, ...keyless } = INIT;
    const payload = {
      ...keyless,
      source_buffer_filling_strategy: 'drop_oldest',
      sink_configuration: { type: 'udp_sink', host: 'no.such.host', port: '9x' },
    };
    const { response, pipeline_id } = await ask(payload);
    expect(response.status).toBe('success');
    await ask({ type: 'terminate', pipeline_id });
  });

  test('with keep_failed: a failed init stays listed, its status is an operation_error, terminate removes it', async () => {
    const to = (payload: unknown) => command(strict.port, payload);
    const { pipeline_id, response } = await to({ type: 'init' });
    expect(response).toMatchObject({ error_type: 'invalid_payload' });
    expect((await to({ type: 'list_pipelines' })).response['pipelines']).toEqual([pipeline_id]);
    for (const type of ['status', 'mute', 'resume']) {
      expect((await to({ type, pipeline_id })).response).toEqual({ status: 'failure', error_type: 'operation_error' });
    }
    expect((await to({ type: 'terminate', pipeline_id })).response.status).toBe('success');
    expect((await to({ type: 'list_pipelines' })).response['pipelines']).toEqual([]);
  });

  test('a key that is not the right one: authorisation_error', async () => {
    isRefusing = true;
    expect((await ask(INIT)).response['error_type']).toBe('authorisation_error');
    expect((await ask({ type: 'list_pipelines' })).response['error_type']).toBe('authorisation_error');
  });
});

describe('the life of a pipeline', () => {
  test('init, mute, resume, terminate succeed in this order; repeats do not', async () => {
    const { pipeline_id } = await ask(INIT);
    const to = async (type: string) => (await ask({ type, pipeline_id })).response;
    expect(await to('resume')).toMatchObject({
      error_type: 'operation_error',
      error_class: 'StreamOperationNotAllowedError',
      error_message: 'Could not RESUME stream in state: StreamState.RUNNING',
    });
    expect(await to('mute')).toEqual({ status: 'success' });
    expect(await to('mute')).toMatchObject({ error_message: 'Could not MUTE stream in state: StreamState.MUTED' });
    expect(await to('resume')).toEqual({ status: 'success' });
    expect(await to('terminate')).toEqual({ status: 'success' });
    expect(await to('terminate')).toMatchObject({ error_type: 'not_found' });
    expect((await ask({ type: 'list_pipelines' })).response['pipelines']).not.toContain(pipeline_id);
  });

  test('the report has the keys of the original, in their order', async () => {
    const { pipeline_id } = await ask(INIT);
    const { response } = await ask({ type: 'status', pipeline_id });
    const report = response['report'] as Record<string, unknown>;
    expect(Object.keys(response)).toEqual(['status', 'report']);
    expect(Object.keys(report)).toEqual([
      'video_source_status_updates',
      'latency_reports',
      'inference_throughput',
      'sources_metadata',
      'millrace',
    ]);
    expect(report['latency_reports']).toEqual([
      { source_id: 0, frame_decoding_latency: null, inference_latency: null, e2e_latency: null },
    ]);
    expect(report['sources_metadata']).toMatchObject([
      {
        source_properties: { width: 320, height: 240, total_frames: 75, is_file: true, fps: 25 },
        state: 'RUNNING',
        source_id: 0,
      },
    ]);
    await ask({ type: 'terminate', pipeline_id });
  });
});

test('webrtc: refused with what there is instead', async () => {
  const { response, pipeline_id } = await ask({ type: 'webrtc' });
  expect(response).toMatchObject({ error_type: 'invalid_payload', error_class: 'NotImplementedError' });
  expect(response['public_error_message']).toContain('preview.mjpeg');
  expect(pipeline_id).toBeNull();
});

test('clients that leave before their answer, or do not take it, keep nobody waiting', async () => {
  for (let i = 0; i < 50; i++) {
    const connection = await ManagerConnection.open(listener.port);
    connection.send(frame('{"type":"list_pipelines"}'));
    if (i % 2 === 0) connection.socket.destroy();
    else connection.socket.pause();
  }
  expect((await ask({ type: 'list_pipelines' })).response.status).toBe('success');
});

test('1,000 clients that connect and say nothing keep nobody waiting', async () => {
  const silent = await Promise.all(Array.from({ length: 1000 }, () => ManagerConnection.open(listener.port)));
  const { response } = await ask({ type: 'list_pipelines' });
  expect(response.status).toBe('success');
  expect(silent.some(({ socket }) => socket.readyState === 'open')).toBe(true);
  for (const { socket } of silent) socket.destroy();
});
