/** Who may run pipelines, where the server asks for tokens. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { ROOT } from '../support/paths.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/start-server.ts';
import { command } from '../support/stream-manager.ts';

const run = promisify(execFile);

test('every door asks for a token that may manage; Roboflow’s clients give it as their API key', async () => {
  await using folder = await ScratchFolder.create();
  const tokenFile = join(folder.path, 'tokens.json');
  const token = async (name: string, scope: string): Promise<string> => {
    const args = ['bin/millrace.js', 'token', 'create', '--name', name, '--scope', scope, '--file', tokenFile];
    return (await run(process.execPath, args, { cwd: ROOT })).stdout.trim();
  };
  const [manage, infer] = [await token('operator', 'manage'), await token('client', 'infer')];
  const managerPort = await freePort();
  const flags = ['--hosts', '1', '--token_file', tokenFile, '--stream_manager_port', String(managerPort)];
  await using server = await startServer({ flags });
  const call = (method: string, path: string, bearer?: string, body?: object): Promise<Response> =>
    fetch(`${server.restUrl}${path}`, {
      method,
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const init = (api_key?: string): object => ({
    type: 'init',
    model_id: 'detect',
    video_reference: join(folder.path, 'none.mp4'),
    sink_configuration: { type: 'udp_sink', host: '127.0.0.1', port: 9 },
    model_configuration: { type: 'object-detection' },
    ...(api_key !== undefined && { api_key }),
  });

  expect((await call('POST', '/initialise', undefined, init())).status).toBe(401);
  expect((await call('POST', '/initialise', undefined, init('wrong'))).status).toBe(401);
  expect((await call('POST', '/initialise', undefined, init(infer))).status).toBe(401);
  const made = await call('POST', '/initialise', undefined, init(manage));
  expect(made.status).toBe(200);
  const { context } = (await made.json()) as { readonly context: { readonly pipeline_id: string } };
  expect((await call('GET', '/list_pipelines')).status).toBe(401);
  expect((await call('GET', '/list_pipelines', manage)).status).toBe(200);
  expect((await call('GET', `/inference_pipelines/list?api_key=${manage}`)).status).toBe(200);
  expect((await call('POST', `/terminate/${context.pipeline_id}`, manage)).status).toBe(200);

  const overTcp = await command(managerPort, init());
  expect(overTcp.response['error_type']).toBe('authorisation_error');
  expect((await command(managerPort, init(manage))).response.status).toBe('success');
  expect((await command(managerPort, { type: 'list_pipelines', api_key: infer })).response['error_type']).toBe(
    'authorisation_error',
  );

  expect((await call('GET', '/v1/pipelines')).status).toBe(401);
  expect((await call('GET', '/v1/pipelines', infer)).status).toBe(403);
  expect((await call('GET', '/v1/pipelines', manage)).status).toBe(200);
  const { stdout } = await run(
    process.execPath,
    ['bin/millrace.js', 'pipelines', 'list', '--all', '--url', server.restUrl, '--token', manage],
    { cwd: ROOT },
  );
  expect(stdout).toContain(context.pipeline_id);
  expect(server.logs()).not.toContain(manage);
});
