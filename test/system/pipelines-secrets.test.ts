/** What cameras and sinks are logged in with shows nowhere: not in answers, reports, events, metrics, tables and the log. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../support/free-port.ts';
import { ROOT } from '../support/paths.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { command } from '../support/stream-manager.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);

/** Whatever holds one of these tells too much. */
const PASSWORD = 'S3cretPassw0rd';
const KEY = 'k3yOfAWebhook0123456789';
const LOGIN = `operator:${PASSWORD}`;

let folder: ScratchFolder;
let server: TestServer;
let managerPort: number;
let closedPort: number;
/** Refuses everything with 403, and says with which address it was asked. */
let refusing: Server;
beforeAll(async () => {
  folder = await ScratchFolder.create();
  [managerPort = 0, closedPort = 0] = await freePorts(2);
  refusing = createServer((request, response) => {
    request.resume();
    response.writeHead(403).end(`http://${LOGIN}@host${request.url ?? ''}`);
  });
  refusing.listen(0, '127.0.0.1');
  await once(refusing, 'listening');
  const config = {
    mediapipe_config_list: [{ name: 'detect', base_path: join(ROOT, 'graphs/detect') }],
    model_config_list: [{ config: { name: 'shapes', base_path: join(ROOT, 'models/shapes') } }],
    pipelines: {
      allow: { schemes: ['lavfi', 'rtsp', 'http', 'srt'], sink_folders: [folder.path] },
      autostart: [{ id: 'kept', model_id: 'detect', video_reference: `rtsp://${LOGIN}@127.0.0.1:${closedPort}/kept` }],
    },
  };
  const flags = ['--hosts', '1', '--log_level', 'debug', '--stream_manager_port', String(managerPort)];
  server = await startServer({ config, flags: [...flags, '--pipelines_folder', join(folder.path, 'kept')] });
}, 120_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  refusing.close();
  await folder[Symbol.asyncDispose]();
});

/** All that was said so far. */
const said: string[] = [];

async function ask(method: string, path: string, body?: object): Promise<string> {
  const init = { method, ...(body !== undefined && { body: JSON.stringify(body) }) };
  const text = await (await fetch(`${server.restUrl}${path}`, init)).text();
  said.push(`${method} ${path}\n${text}`);
  return text;
}

async function overTcp(payload: object): Promise<string> {
  const { text } = await command(managerPort, payload);
  said.push(text);
  return text;
}

/** The events of a pipeline up to one that `isEnough`. */
async function events(id: string, isEnough: (text: string) => boolean): Promise<void> {
  const { body } = await fetch(`${server.restUrl}/v1/pipelines/${id}/events`);
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  while (!isEnough(text)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += Buffer.from(value).toString();
  }
  await reader.cancel();
  said.push(text);
}

const SINK = { type: 'udp_sink', host: '127.0.0.1', port: 9 };
const initA = (video_reference: unknown): object => ({
  type: 'init',
  model_id: 'detect',
  video_reference,
  sink_configuration: SINK,
  model_configuration: { type: 'object-detection' },
  api_key: KEY,
});
const initB = (video_reference: unknown): object => ({
  api_key: KEY,
  video_configuration: { type: 'VideoConfiguration', video_reference },
  processing_configuration: {
    type: 'WorkflowConfiguration',
    workflow_specification: {
      version: '1.0',
      inputs: [{ type: 'WorkflowImage', name: 'image' }],
      steps: [{ type: 'ObjectDetectionModel', name: 'm', images: '$inputs.image', model_id: 'detect' }],
      outputs: [{ type: 'JsonField', name: 'p', selector: '$steps.m.predictions' }],
    },
  },
});

/** Cameras that cannot be reached, or do not let us in, each with a login. */
const cameras = (): readonly string[] => {
  const { port } = refusing.address() as AddressInfo;
  return [
    `rtsp://${LOGIN}@127.0.0.1:${closedPort}/live`,
    `rtsp://127.0.0.1:${closedPort}/live?user=operator&password=${PASSWORD}&channel=1`,
    `rtsp://127.0.0.1:${closedPort}/user=operator_password=${PASSWORD}_channel=1.sdp`,
    `rtsp://operator:p@${PASSWORD}@127.0.0.1:${closedPort}/live`,
    `http://${LOGIN}@127.0.0.1:${port}/clip.mp4?token=${KEY}`,
  ];
};

test('through every door: cameras', async () => {
  for (const [index, camera] of cameras().entries()) {
    await ask('POST', '/v1/pipelines', { id: `own-${index}`, model_id: 'detect', video_reference: camera });
  }
  const ids = cameras().map((_, index) => `own-${index}`);
  const idOf = (text: string): string => /"pipeline_id": ?"([^"]+)"/.exec(text)?.[1] ?? '';
  for (const camera of cameras()) ids.push(idOf(await overTcp(initA(camera))));
  ids.push(idOf(await ask('POST', '/initialise', initA(cameras()))));
  ids.push(idOf(await ask('POST', '/inference_pipelines/initialise', initB(cameras()[0]))));
  expect(ids).not.toContain('');
  for (const id of [...ids, 'kept']) {
    await until(async () => /"last_error":"/.test(await ask('GET', `/v1/pipelines/${id}`)));
    await events(id, (text) => text.includes('event: report'));
    await ask('GET', `/status/${id}`);
    await ask('GET', `/inference_pipelines/${id}/status`);
    await overTcp({ type: 'status', pipeline_id: id });
    await overTcp({ type: 'status', pipeline_id: id, api_key: KEY });
  }
  await ask('GET', '/v1/pipelines');
  await ask('GET', '/metrics');
  for (const args of [
    ['list', '--all'],
    ['status', 'own-0'],
    ['start', cameras()[0] ?? '', '--id', 'own-0'],
  ]) {
    const cli = ['bin/millrace.js', 'pipelines', ...args, '--url', server.restUrl];
    const { stdout, stderr } = await run(process.execPath, cli, { cwd: ROOT }).catch(
      (error: unknown) => error as { stdout: string; stderr: string },
    );
    said.push(stdout + stderr);
  }
  for (const id of ids) await ask('DELETE', `/v1/pipelines/${id}`);
});

test('through every sink', async () => {
  const { port } = refusing.address() as AddressInfo;
  const sinks = [
    {
      type: 'webhook',
      url: `http://${LOGIN}@127.0.0.1:${port}/services/${KEY}?code=${KEY}`,
      secret: KEY,
      headers: { authorization: `Bearer ${KEY}`, 'x-own': PASSWORD },
      retries: 0,
    },
    { type: 'mqtt', url: `mqtt://${LOGIN}@127.0.0.1:${closedPort}`, topic: 'results' },
    { type: 'websocket', url: `ws://127.0.0.1:${closedPort}/results/${KEY}?token=${KEY}` },
    { type: 'rtsp', target: `rtsp://${LOGIN}@127.0.0.1:${closedPort}/annotated` },
  ];
  const given = {
    id: 'sinks',
    model_id: 'detect',
    video_reference: 'lavfi:testsrc2=size=64x48:rate=10',
    persist: true,
  };
  await ask('POST', '/v1/pipelines', { ...given, sinks });
  await until(async () => {
    const { report } = JSON.parse(await ask('GET', '/v1/pipelines/sinks')) as {
      report: { sinks: { last_error: string | null }[] };
    };
    return report.sinks.length === sinks.length && report.sinks.every(({ last_error }) => last_error !== null);
  });
  await events('sinks', (text) => text.includes('INFERENCE_RESULTS_DISPATCHING_ERROR'));
  await ask('GET', '/status/sinks');
  await overTcp({ type: 'status', pipeline_id: 'sinks' });
  await ask('DELETE', '/v1/pipelines/sinks');
});

test('in refusals of what was sent', async () => {
  const bad = [
    `ftp://${LOGIN}@host/a`,
    `rtsp://${LOGIN}@host name/`,
    [`concat:http://${LOGIN}@host/a`],
    { url: `http://${LOGIN}@h` },
  ];
  for (const video_reference of bad) {
    await ask('POST', '/v1/pipelines', { model_id: 'detect', video_reference });
    await ask('POST', '/initialise', initA(video_reference));
    await ask('POST', '/initialise', { ...initA(video_reference), model_id: undefined });
    await ask('POST', '/inference_pipelines/initialise', initB(video_reference));
    await ask('POST', '/inference_pipelines/initialise', { ...initB(video_reference), processing_configuration: 5 });
    await overTcp(initA(video_reference));
    await overTcp(initB(video_reference));
  }
  for (const url of [`ftp://${LOGIN}@h`, `http://${LOGIN}@`, `https://h/${KEY}?token=${KEY}`]) {
    const sinks = [{ type: 'webhook', url, secret: 5, api_key: KEY }];
    await ask('POST', '/v1/pipelines', { model_id: 'detect', video_reference: 'lavfi:testsrc2', sinks });
  }
});

test('nothing of all that, nor of the log, has told', () => {
  const log = server.logs();
  expect(said.length).toBeGreaterThan(100);
  for (const text of [...said, log]) {
    for (const secret of [PASSWORD, KEY, 'operator:']) {
      const at = text.indexOf(secret);
      expect(at < 0 ? '' : text.slice(Math.max(0, at - 200), at + 80)).toBe('');
    }
  }
});
