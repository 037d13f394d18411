import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient } from '../../src/client/index.ts';
import { openSource } from '../../src/media/sources/ffmpeg-source.ts';
import { StreamClient, type StreamReport } from '../../src/stream-client/index.ts';
import { PERSON, probeClip } from '../support/clips.ts';
import { startCutProxy } from '../support/cut-proxy.ts';
import { descendants, isRunning } from '../support/leaks.ts';
import { publish } from '../support/publish.ts';
import { RtspRelay } from '../support/rtsp-relay.ts';
import { StreamClientServer } from '../support/stream-client-server.ts';
import { until } from '../support/until.ts';

let bench: StreamClientServer;
beforeAll(async () => {
  bench = await StreamClientServer.start();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

describe('RTSP', () => {
  it('from one channel to another', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'channel1', bench.clip);
    const run = bench.run([
      '--input_stream',
      relay.url('channel1'),
      '--output_stream',
      relay.url('channel2'),
      '--benchmark',
    ]);
    await until(() => relay.isPublished('channel2') && relay.packetsOut > 100);
    {
      await using back = await openSource(relay.url('channel2'));
      expect(await back.next()).toMatchObject({ width: 320, height: 240 });
    }
    const children = descendants(run.child.pid ?? 0);
    expect(children.length).toBe(2);
    run.child.kill('SIGINT');
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as StreamReport).frames).toBeGreaterThan(5);
    expect(children.filter(isRunning)).toEqual([]);
  });

  it('goes on when the RTSP server dies and comes back', async () => {
    await using relay = await RtspRelay.start();
    const first = await publish(relay, 'channel1', bench.clip);
    using client = bench.client();
    const lost: string[] = [];
    const streamClient = new StreamClient({
      client,
      model: 'copy',
      inputName: 'first_input_video',
      source: relay.url('channel1'),
      sink: relay.url('channel2'),
      onEvent: (event) => void lost.push(event.part),
    });
    const running = streamClient.run();
    await until(() => relay.isPublished('channel2') && streamClient.report.frames > 20);
    await relay.stop();
    await first[Symbol.asyncDispose]();
    await relay.start();
    await using _second = await publish(relay, 'channel1', bench.clip);
    await until(() => streamClient.report.reconnections.source >= 1 && relay.isPublished('channel2'));
    streamClient.stop();
    const { reconnections } = await running;
    expect(reconnections).toMatchObject({ source: 1, server: 0 });
    expect(reconnections.sink).toBeGreaterThanOrEqual(1);
    expect(lost).toContain('source');
    expect(lost).toContain('sink');
  });
});

describe('a server that is lost', () => {
  const copying = (client: GrpcClient, sink: string, more: { readonly maxReconnects?: number } = {}): StreamClient =>
    new StreamClient({ client, model: 'copy', inputName: 'first_input_video', source: PERSON, sink, ...more });

  it('a file misses no frame', async () => {
    await using proxy = await startCutProxy(bench.server.grpcPort);
    using client = new GrpcClient({ address: proxy.address, ownConnection: true });
    const file = bench.out('cut.mp4');
    const streamClient = copying(client, file);
    const running = streamClient.run();
    await until(() => streamClient.report.frames > 20);
    proxy.cut();
    const result = await running;
    expect(result.reconnections.server).toBeGreaterThanOrEqual(1);
    expect(result).toMatchObject({ frames: 150, drops: { connection_lost: 0 } });
    expect((await probeClip(file)).times.length).toBe(150);
  });

  it('ends the run where it stays away, with the file completed', async () => {
    await using proxy = await startCutProxy(bench.server.grpcPort);
    using client = new GrpcClient({ address: proxy.address, ownConnection: true });
    const file = bench.out('away.mp4');
    const streamClient = copying(client, file, { maxReconnects: 1 });
    const running = streamClient.run();
    await until(() => streamClient.report.frames > 20);
    await proxy[Symbol.asyncDispose]();
    await expect(running).rejects.toMatchObject({ status: 'UNAVAILABLE' });
    expect((await probeClip(file)).times.length).toBeGreaterThanOrEqual(15);
  });
});

describe('Ctrl-C', () => {
  it('completes the file; a second one does not wait', async () => {
    const file = bench.out('stopped.mp4');
    const run = bench.run([
      '--input_stream',
      'lavfi:testsrc2=size=320x240:rate=30',
      '--output_stream',
      file,
      '--benchmark',
    ]);
    await until(async () => (await sizeOf(file)) > 5_000);
    run.child.kill('SIGINT');
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    const { frames } = JSON.parse(stdout) as StreamReport;
    expect((await probeClip(file)).times.length).toBe(frames);
    const silent = bench.run(['--input_stream', bench.clip], { model: 'silent' });
    await until(() => descendants(silent.child.pid ?? 0).length > 0);
    const children = descendants(silent.child.pid ?? 0);
    silent.child.kill('SIGINT');
    silent.child.kill('SIGINT');
    await silent.ended;
    expect(children.filter(isRunning)).toEqual([]);
  });

  it('kill -9 leaves a file that can be played and no children', async () => {
    const file = bench.out('killed.mp4');
    const run = bench.run(['--input_stream', 'lavfi:testsrc2=size=320x240:rate=60', '--output_stream', file]);
    await until(async () => (await sizeOf(file)) > 5_000);
    const children = descendants(run.child.pid ?? 0);
    run.child.kill('SIGKILL');
    await run.ended;
    await until(() => !children.some(isRunning));
    expect((await probeClip(file)).times.length).toBeGreaterThan(10);
  });
});

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}
