/** Roboflow's HTTP APIs of generations A and B, by what was seen of them (sheet §1 and §1b). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { MillraceError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { PipelineManager } from '../../../src/pipelines/pipeline-manager.ts';
import { parsePipelinesConfig } from '../../../src/pipelines/pipelines-config.ts';
import { RoboflowCommands } from '../../../src/pipelines/roboflow/commands.ts';
import { buildRestApp } from '../../../src/protocol/rest/app.ts';
import { FakeDataPlane } from '../../support/fake-data-plane.ts';
import { FakePipelineHosts } from '../../support/fake-pipeline-hosts.ts';

const INIT = {
  type: 'init',
  sink_configuration: { type: 'udp_sink', host: '127.0.0.1', port: 9999 },
  video_reference: '/v/a.mp4',
  model_id: 'detect',
  api_key: 'key',
  max_fps: null,
};
const WORKFLOW = {
  version: '1.0',
  inputs: [{ type: 'WorkflowImage', name: 'image' }],
  steps: [
    {
      type: 'roboflow_core/roboflow_object_detection_model@v2',
      name: 'model',
      images: '$inputs.image',
      model_id: 'some/1',
      confidence: 0.3,
    },
  ],
  outputs: [{ type: 'JsonField', name: 'p', selector: '$steps.model.predictions' }],
};
const INIT_B = {
  video_configuration: { type: 'VideoConfiguration', video_reference: ['/v/a.mp4', '/v/b.mp4'] },
  processing_configuration: { type: 'WorkflowConfiguration', workflow_specification: WORKFLOW },
};

let app: FastifyInstance;
let hosts: FakePipelineHosts;
let manager: PipelineManager;
let isRefusing = false;

beforeAll(async () => {
  hosts = new FakePipelineHosts();
  manager = new PipelineManager({ config: parsePipelinesConfig({}), baseFolder: '/' }, hosts, silentLogger);
  const ownerOf = (): object => {
    if (isRefusing) throw new MillraceError('UNAUTHENTICATED', 'the token is not valid');
    return {};
  };
  const pipelines = { manager, commands: new RoboflowCommands(manager), ownerOf };
  app = await buildRestApp({}, { dataPlane: new FakeDataPlane(), logger: silentLogger, pipelines });
});
afterAll(async () => {
  await app.close();
  await manager[Symbol.asyncDispose]();
});

async function call(
  method: 'GET' | 'POST',
  url: string,
  body?: unknown,
): Promise<{ status: number; json: Record<string, unknown>; text: string }> {
  const payload = body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) };
  const { statusCode, body: text } = await app.inject({ method, url, ...payload });
  return { status: statusCode, json: JSON.parse(text) as Record<string, unknown>, text };
}

describe('generation A', () => {
  test('initialise, list, status, pause, resume, terminate: bodies exactly as in the sheet', async () => {
    const made = await call('POST', '/initialise', INIT);
    expect(made.status).toBe(200);
    expect(made.text).toMatch(/^\{"status":"success","context":\{"request_id":"[^"]+","pipeline_id":"[^"]+"\}\}$/);
    const { pipeline_id: id } = made.json['context'] as { pipeline_id: string };
    expect((await call('GET', '/list_pipelines')).text).toMatch(
      new RegExp(
        `^\\{"status":"success","context":\\{"request_id":"[^"]+","pipeline_id":null\\},"pipelines":\\["${id}"\\]\\}$`,
      ),
    );
    const status = await call('GET', `/status/${id}`);
    expect(Object.keys(status.json)).toEqual(['status', 'context', 'report']);
    for (const verb of ['pause', 'resume', 'terminate']) {
      const answer = await call('POST', `/${verb}/${id}`);
      expect(answer).toMatchObject({ status: 200, json: { status: 'success', context: { pipeline_id: id } } });
    }
    expect(await call('POST', `/terminate/${id}`)).toMatchObject({ status: 404 });
  });

  test('an unknown pipeline: 404, Details: N/A', async () => {
    expect(await call('GET', '/status/nope')).toMatchObject({
      status: 404,
      json: { status: 'failure', message: 'Error in ProcessesManagerClient. Error type: not_found. Details: N/A' },
    });
  });

  test('a pause that is not possible: 500 with the reason', async () => {
    const { json } = await call('POST', '/initialise', INIT);
    const { pipeline_id: id } = json['context'] as { pipeline_id: string };
    await call('POST', `/pause/${id}`);
    expect(await call('POST', `/pause/${id}`)).toMatchObject({
      status: 500,
      json: {
        message:
          'Error in ProcessesManagerClient. Error type: operation_error. Details: Could not MUTE stream in state: StreamState.MUTED',
      },
    });
    await call('POST', `/terminate/${id}`);
  });

  test.each([
    ['unknown model', { ...INIT, model_id: 'nope/1' }, 404, 'not_found'],
    ['another sink', { ...INIT, sink_configuration: { type: 'x', host: 'a', port: 1 } }, 400, 'invalid_payload'],
    ['a wrong strategy', { ...INIT, source_buffer_filling_strategy: 'x' }, 500, 'internal_error'],
  ])('initialise with %s', async (_, body, status, type) => {
    const answer = await call('POST', '/initialise', body);
    expect(answer.status).toBe(status);
    expect(answer.json['message']).toContain(`Error type: ${type}. Details: `);
    // Theirs loses the id.
    expect(answer.json['context']).toMatchObject({ pipeline_id: expect.any(String) as string });
  });

  test.each([
    ['no body', undefined, 'missing', ['body']],
    ['no JSON', '{', 'json_invalid', ['body', expect.any(Number)]],
    ['no model', { ...INIT, model_id: undefined }, 'missing', ['body', 'model_id']],
    ['a model that is a number', { ...INIT, model_id: 5 }, 'string_type', ['body', 'model_id']],
    ['no host', { ...INIT, sink_configuration: { port: 1 } }, 'missing', ['body', 'sink_configuration', 'host']],
    [
      'a port that is none',
      { ...INIT, sink_configuration: { host: 'a', port: '9x' } },
      'int_parsing',
      ['body', 'sink_configuration', 'port'],
    ],
    ['a rate that is none', { ...INIT, max_fps: 'x' }, 'float_parsing', ['body', 'max_fps']],
  ])('initialise with %s: 422', async (_, body, type, loc) => {
    const { status, json } = await call('POST', '/initialise', body);
    expect(status).toBe(422);
    expect(json['detail']).toMatchObject([{ type, loc, msg: expect.any(String) as string }]);
  });

  test('numeric texts are taken for numbers', async () => {
    const body = { ...INIT, sink_configuration: { host: 'a', port: '9999' }, max_fps: '5' };
    const { status, json } = await call('POST', '/initialise', body);
    expect(status).toBe(200);
    const { pipeline_id: id } = json['context'] as { pipeline_id: string };
    expect(hosts.runOf(id).program.pipeline).toMatchObject({ max_fps: 5, sinks: [{ port: 9999 }] });
    await call('POST', `/terminate/${id}`);
  });

  test('a wrong key: 401', async () => {
    isRefusing = true;
    const answer = await call('GET', '/list_pipelines');
    isRefusing = false;
    expect(answer).toMatchObject({ status: 401, json: { status: 'failure' } });
  });
});

describe('generation B', () => {
  test('initialise, consume with nulls by position, then nothing; the ring keeps the last', async () => {
    const made = await call('POST', '/inference_pipelines/initialise', {
      ...INIT_B,
      sink_configuration: { type: 'MemorySinkConfiguration', results_buffer_size: 2 },
    });
    expect(made).toMatchObject({ status: 200, json: { status: 'success' } });
    const { pipeline_id: id } = made.json['context'] as { pipeline_id: string };
    const run = hosts.runOf(id);
    expect(run.program.pipeline).toMatchObject({
      model_id: 'some',
      model_configuration: { confidence: 0.3, nms: 'roboflow' },
      source_buffer_filling_strategy: 'DROP_OLDEST',
      source_buffer_consumption_strategy: 'EAGER',
    });
    run.result(0);
    run.result(0, 1);
    run.result(1);
    const consume = (body?: object) => call('GET', `/inference_pipelines/${id}/consume`, body);
    const both = await consume();
    expect(both.json['outputs']).toEqual([
      { p: { image: { width: 320, height: 240 }, predictions: [] } },
      { p: { image: { width: 320, height: 240 }, predictions: [] } },
    ]);
    const second = await consume({ excluded_fields: ['p'], api_key: 'k' });
    expect(second.json).toMatchObject({ outputs: [null, {}], frames_metadata: [null, { source_id: 1 }] });
    expect((await consume()).json).toMatchObject({ status: 'success', outputs: [], frames_metadata: [] });
    expect((await call('GET', '/inference_pipelines/list', { api_key: 'k' })).json['pipelines']).toContain(id);
    expect((await call('GET', `/inference_pipelines/${id}/status`, { api_key: 'k' })).status).toBe(200);
    for (const verb of ['pause', 'resume', 'terminate']) {
      expect((await call('POST', `/inference_pipelines/${id}/${verb}`)).status).toBe(200);
    }
  });

  test('WebRTC: 501, with what there is instead, in the envelope of its failures', async () => {
    const { status, json } = await call('POST', '/inference_pipelines/initialise_webrtc', {
      ...INIT_B,
      webrtc_offer: { type: 'offer', sdp: 'v=0' },
    });
    expect(status).toBe(501);
    expect(json).toMatchObject({
      message: expect.stringMatching(
        /^Error with command handling raised by InferencePipeline Manager\. Error type: invalid_payload\. Details: WebRTC is not served: .*preview\.mjpeg/,
      ) as string,
      error_type: 'ProcessesManagerInvalidPayload',
      inner_error_type: 'NotImplementedError',
    });
    expect(manager.listed()).toEqual([]);
  });

  test('unknown ids: 404, but 400 to terminate one', async () => {
    expect(await call('GET', '/inference_pipelines/nope/status')).toMatchObject({
      status: 404,
      json: {
        message:
          'Error with command handling raised by InferencePipeline Manager. Error type: not_found. Details: Could not find InferencePipeline with id=nope.',
        error_type: 'ProcessesManagerNotFoundError',
        inner_error_type: null,
      },
    });
    expect(await call('POST', '/inference_pipelines/nope/terminate')).toMatchObject({
      status: 400,
      json: {
        message:
          'Error with command handling raised by InferencePipeline Manager. Error type: invalid_payload. Details: N/A',
        error_type: 'ProcessesManagerInvalidPayload',
      },
    });
  });

  test.each([
    ['no video', { processing_configuration: INIT_B.processing_configuration }, 422],
    [
      'strategies in lower case',
      { ...INIT_B, video_configuration: { ...INIT_B.video_configuration, source_buffer_filling_strategy: 'wait' } },
      422,
    ],
    [
      'a workflow of several steps',
      {
        ...INIT_B,
        processing_configuration: {
          type: 'WorkflowConfiguration',
          workflow_specification: { ...WORKFLOW, steps: [...WORKFLOW.steps, { type: 'x' }] },
        },
      },
      400,
    ],
    [
      'neither specification nor names',
      { ...INIT_B, processing_configuration: { type: 'WorkflowConfiguration' } },
      500,
    ],
    [
      'a workflow of a workspace',
      { ...INIT_B, processing_configuration: { type: 'WorkflowConfiguration', workspace_name: 'a', workflow_id: 'b' } },
      404,
    ],
  ])('initialise with %s', async (_, body, status) => {
    const answer = await call('POST', '/inference_pipelines/initialise', body);
    expect(answer.status).toBe(status);
    expect(manager.listed()).toEqual([]);
  });
});

test("operation ids are generation A's", async () => {
  const { json } = await call('GET', '/openapi.json');
  const paths = json['paths'] as Record<string, Record<string, { operationId?: string }>>;
  expect(paths['/list_pipelines']?.['get']?.operationId).toBe('list_pipelines_list_pipelines_get');
  expect(paths['/terminate/{pipeline_id}']?.['post']?.operationId).toBe('terminate_terminate__pipeline_id__post');
  expect(paths['/initialise']?.['post']?.operationId).toBe('initialise_initialise_post');
});

test('all routes are in the OpenAPI document', async () => {
  const { json } = await call('GET', '/openapi.json');
  const paths = Object.keys(json['paths'] as object);
  for (const path of [
    '/initialise',
    '/list_pipelines',
    '/status/{pipeline_id}',
    '/inference_pipelines/{pipeline_id}/consume',
    '/v1/pipelines',
    '/v1/pipelines/{pipeline_id}/events',
  ]) {
    expect(paths).toContain(path);
  }
});
