/** The compose file in the place of the page's: its server, without a container around it, does what the page's client asks. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ffmpeg } from '../support/clips.ts';
import { freePort } from '../support/free-port.ts';
import { ROOT } from '../support/paths.ts';
import { runPython } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/start-server.ts';
import { command } from '../support/stream-manager.ts';

const run = promisify(execFile);
const EXAMPLE = join(ROOT, 'examples/stream-management');

interface Compose {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly build: string;
        readonly environment: Readonly<Record<string, string>>;
        readonly ports: readonly string[];
      }
    >
  >;
}

test('its settings are ones that there are, its ports those of the page', async () => {
  const given = { file: join(EXAMPLE, 'compose.yaml') };
  const { services } = (await runPython('test/system/pipelines/read_compose.py', given, 'kubernetes')) as Compose;
  const [[name, { build, environment, ports }], ...others] = Object.entries(services) as [
    [string, Compose['services'][string]],
  ];
  expect([name, others]).toEqual(['stream_management_api', []]);
  await access(join(EXAMPLE, build, 'Dockerfile'));
  // On this machine alone: without tokens the doors are open.
  expect(ports).toEqual(['127.0.0.1:8080:8080', '127.0.0.1:7070:7070']);
  expect(environment['MILLRACE_STREAM_MANAGER_PORT']).toBe('7070');

  await using folder = await ScratchFolder.create();
  const clip = join(folder.path, 'clip.mp4');
  await ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=15', '-frames:v', '45', '-pix_fmt', 'yuv420p', clip);
  const port = await freePort();
  const env = {
    ...environment,
    // What is a container's own.
    MILLRACE_STREAM_MANAGER_PORT: String(port),
    MILLRACE_STREAM_MANAGER_BIND_ADDRESS: '127.0.0.1',
    MILLRACE_PIPELINES_FOLDER: join(folder.path, 'kept'),
  };
  expect(Object.keys(env)).toEqual(Object.keys(environment));
  await using server = await startServer({ env, flags: ['--hosts', '1'] });
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let datagrams = 0;
  socket.on('message', () => datagrams++);
  const script = join(ROOT, 'test/system/pipelines/page_client.py');
  const { stdout } = await run('python3', [script, server.restUrl, clip, String(socket.address().port)]);
  socket.close();
  expect(JSON.parse(stdout)).toMatchObject({ paused: 'success', resumed: 'success', terminated: 'success', left: [] });
  expect(datagrams).toBeGreaterThan(0);
  expect((await command(port, { type: 'list_pipelines' })).response).toEqual({ pipelines: [], status: 'success' });
});
