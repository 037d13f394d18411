import { spawn } from 'node:child_process';
import type { RtspRelay } from './rtsp-relay.ts';
import { until } from './until.ts';

/** Publishes a file in a loop, at its own pace, until it is disposed of. */
export async function publish(relay: RtspRelay, path: string, file: string): Promise<AsyncDisposable> {
  const input = ['-re', '-stream_loop', '-1', '-i', file, '-an', '-c', 'copy'];
  const args = ['-nostdin', '-loglevel', 'error', ...input, '-f', 'rtsp', '-rtsp_transport', 'tcp', relay.url(path)];
  const child = spawn('ffmpeg', args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await until(() => relay.isPublished(path) || child.exitCode !== null, `ffmpeg publishes ${path}`);
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
