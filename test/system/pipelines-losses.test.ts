/** What pipelines lose and outlive on a real server: cameras, decoders, hosts, and the server itself. */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isRunning } from '../support/leaks.ts';
import { frameIdOf, isFfmpeg, PipelineServer, udpReceiver, type PipelineLine } from '../support/pipelines-server.ts';
import { publish } from '../support/publish.ts';
import { RtspRelay } from '../support/rtsp-relay.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { command } from '../support/stream-manager.ts';
import { until } from '../support/until.ts';

// Servers start, videos are decoded: each wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

const run = promisify(execFile);

let world: PipelineServer;
let server: TestServer;
beforeAll(async () => {
  world = await PipelineServer.start();
  ({ server } = world);
});
afterAll(() => world[Symbol.asyncDispose]());

describe('an RTSP camera', () => {
  test('is muted and goes on, is lost and comes back with growing frame ids, and is waited for from the start', async () => {
    await using relay = await RtspRelay.start();
    const { port, got, socket } = await udpReceiver();
    const url = relay.url('cam').replace('rtsp://', 'rtsp://user:secret@');
    const id = await world.create({
      video_reference: url,
      sinks: [{ type: 'udp', host: '127.0.0.1', port }],
      stall_timeout_ms: 3000,
    });
    await until(async () => (await world.look(id)).report.sources[0]?.last_error !== null);
    expect(JSON.stringify(await world.look(id))).not.toContain('secret');
    const publishing = await publish(relay, 'cam', world.clip);
    await until(() => got.length > 5);

    await world.call('POST', `/v1/pipelines/${id}/pause`);
    await world.call('POST', `/v1/pipelines/${id}/pause`);
    await until(async () => ((await world.look(id)).report.sources[0]?.dropped_muted ?? 0) > 3);
    await world.call('POST', `/v1/pipelines/${id}/resume`);

    const before = got.length;
    relay.resetAll();
    await publishing[Symbol.asyncDispose]();
    await using _again = await publish(relay, 'cam', world.clip);
    await until(() => got.length > before + 10);
    await until(async () => ((await world.look(id)).report.sources[0]?.reconnects ?? 0) > 0);
    const ids = got.map(frameIdOf);
    expect(ids.every((value, i) => i === 0 || value > (ids[i - 1] as number))).toBe(true);

    // A decoder that is killed is another loss.
    const decoder = server.children().find(({ pid }) => isFfmpeg(pid));
    process.kill(decoder?.pid ?? 0, 'SIGKILL');
    const then = got.length;
    await until(() => got.length > then + 5);
    await world.remove(id);
    await until(() => server.children().every(({ pid }) => !isFfmpeg(pid)));
    socket.close();
  });
});

test('a host that is killed costs its pipelines a moment: they start again, their numbers going on', async () => {
  const { port, got, socket } = await udpReceiver();
  const id = await world.create({
    video_reference: 'lavfi:testsrc2=size=200x150:rate=15',
    sinks: [{ type: 'udp', host: '127.0.0.1', port }],
  });
  await until(() => got.length > 5);
  const decoder = server.children().find(({ pid }) => isFfmpeg(pid));
  process.kill(decoder?.parent ?? 0, 'SIGKILL');
  await until(async () => (await world.look(id)).report.host_losses === 1);
  const before = got.length;
  await until(() => got.length > before + 5);
  const sequences = got.map(({ millrace }) => (millrace as { sequence: number }).sequence);
  expect(sequences.at(-1)).toBeGreaterThan(before / 2);
  expect((await world.look(id)).state).toBe('running');
  await world.remove(id);
  socket.close();
});

test('a host that hangs: status is answered at once, others go on, and it is replaced', async () => {
  const source = 'lavfi:testsrc2=size=200x150:rate=15';
  const ids: string[] = [];
  const hostsOf = (): Set<number> =>
    new Set(
      server
        .children()
        .filter(({ pid }) => isFfmpeg(pid))
        .map(({ parent }) => parent),
    );
  // One that was replaced lately may have to load first.
  while (hostsOf().size < 2) {
    const id = await world.create({ video_reference: source });
    ids.push(id);
    await until(async () => (await world.look(id)).report.results > 3);
  }
  const hosts = hostsOf();
  const [stuck] = hosts;
  process.kill(stuck ?? 0, 'SIGSTOP');
  const answers = await Promise.all(ids.map((id) => command(world.managerPort, { type: 'status', pipeline_id: id })));
  expect(answers.every(({ response }) => response.status === 'success')).toBe(true);
  const before = await Promise.all(ids.map((id) => world.look(id)));
  await until(async () => {
    const now = await Promise.all(ids.map((id) => world.look(id)));
    return now.some(
      ({ report }, i) => report.host_losses === 0 && report.results > (before[i]?.report.results ?? 0) + 10,
    );
  });
  await until(async () =>
    (await Promise.all(ids.map((id) => world.look(id)))).some(({ report }) => report.host_losses === 1),
  );
  await until(async () =>
    (await Promise.all(ids.map((id) => world.look(id)))).every(({ state }) => state === 'running'),
  );
  for (const id of ids) await world.remove(id);
});

test('SIGTERM with eight pipelines under way: every child gone, files playable; what persists is back', async () => {
  const own = join(world.folder.path, 'eight');
  const flags = ['--hosts', '2', '--pipelines_folder', own];
  const first = await startServer({ config: world.config, flags });
  const post = (given: object): Promise<Response> =>
    fetch(`${first.restUrl}/v1/pipelines`, {
      method: 'POST',
      body: world.bodyOf({ video_reference: 'lavfi:testsrc2=size=200x150:rate=15', ...given }),
    });
  const files = [0, 1].map((i) => join(world.folder.path, `out-${i}.mp4`));
  for (let i = 0; i < 8; i++) {
    const target = files[i];
    const response = await post({
      id: `p${i}`,
      persist: i === 7,
      sinks: target === undefined ? [] : [{ type: 'video_file', target }],
    });
    expect(response.status).toBe(201);
  }
  const list = async (): Promise<PipelineLine[]> =>
    ((await (await fetch(`${first.restUrl}/v1/pipelines`)).json()) as { pipelines: PipelineLine[] }).pipelines;
  await until(async () => (await list()).every(({ report }) => report.results > 5));
  const children = first.children();
  expect(children.length).toBeGreaterThanOrEqual(10);
  await first.stop();
  expect(children.filter(isRunning)).toEqual([]);
  for (const file of files) {
    const { stdout } = await run('ffprobe', [
      '-v',
      'error',
      '-count_frames',
      '-show_entries',
      'stream=nb_read_frames',
      '-of',
      'csv=p=0',
      file,
    ]);
    expect(Number(stdout.split(',')[0])).toBeGreaterThan(3);
  }
  expect(await readdir(own)).toEqual(['p7.json']);
  await using second = await startServer({ config: world.config, flags });
  await until(async () => {
    const { pipelines } = (await (await fetch(`${second.restUrl}/v1/pipelines`)).json()) as {
      pipelines: PipelineLine[];
    };
    return pipelines.length === 1 && pipelines[0]?.id === 'p7' && pipelines[0].state === 'running';
  });
});
