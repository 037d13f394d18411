import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from '../../src/media/sources/ffmpeg-source.ts';
import type { SourceEvent, VideoSource } from '../../src/media/sources/video-source.ts';
import { makeClip, PERSON } from '../support/clips.ts';
import { descendants, isRunning, type ProcessInfo } from '../support/leaks.ts';
import { ROOT } from '../support/paths.ts';
import { publish } from '../support/publish.ts';
import { RtspRelay } from '../support/rtsp-relay.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { until } from '../support/until.ts';

let folder: ScratchFolder;
let clip: string;
beforeAll(async () => {
  folder = await ScratchFolder.create();
  clip = await makeClip(join(folder.path, 'clip.mp4'), { frames: 90 });
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  expect(descendants(process.pid)).toEqual([]);
});

/** The times of the next `count` frames. */
async function times(source: VideoSource, count: number): Promise<number[]> {
  const read: number[] = [];
  while (read.length < count) {
    const frame = await source.next();
    if (frame === undefined) throw new Error('the source ended');
    read.push(frame.timestampUs);
  }
  return read;
}

function isIncreasing(values: readonly number[]): boolean {
  return values.every((value, i) => i === 0 || value > (values[i - 1] as number));
}

const lost = (events: readonly SourceEvent[]) => events.filter(({ type }) => type === 'lost');

describe('an RTSP source', () => {
  it('gives the newest frame and counts what it left out', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'a', clip);
    await using source = await openSource(relay.url('a'));
    expect(source.properties).toMatchObject({ isLive: true, width: 320, height: 240, durationMs: undefined });
    const [first = -1] = await times(source, 1);
    expect(first).toBe(0);
    await until(() => source.counts.captured >= 12);
    const before = source.counts.captured;
    const frame = await source.next();
    expect(frame?.number).toBeGreaterThanOrEqual(before);
    expect(source.counts.droppedFull + source.counts.droppedOlder).toBeGreaterThan(5);
  });

  it('loses frames to a reader that is behind, before its buffer is full, where it was asked to', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'a', clip);
    await using source = await openSource(relay.url('a'), {
      buffer: { capacity: 64, whenFull: 'drop_oldest', take: 'newest' },
      adaptive: { streamPaceTolerance: 1000, readerPaceTolerance: 0.5, minimumSamples: 2, maximumDroppedInRow: 16 },
    });
    await until(async () => {
      await source.next();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return source.counts.droppedAdaptive > 5;
    });
    expect(source.counts.droppedFull).toBe(0);
  });

  it('is read by several at once', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'a', clip);
    await using one = await openSource(relay.url('a'));
    await using other = await openSource(relay.url('a'), { pixels: 'jpeg' });
    expect(isIncreasing(await times(one, 5))).toBe(true);
    expect(isIncreasing(await times(other, 5))).toBe(true);
    expect(relay.readers('a')).toBe(2);
  });

  it('comes back after its server died, and its times go on', async () => {
    const events: SourceEvent[] = [];
    await using relay = await RtspRelay.start();
    const first = await publish(relay, 'a', clip);
    await using source = await openSource(relay.url('a'), { onEvent: (event) => events.push(event) });
    const before = await times(source, 5);
    await relay.stop();
    await first[Symbol.asyncDispose]();
    await until(() => lost(events).length >= 2);
    await relay.start();
    await using _second = await publish(relay, 'a', clip);
    const after = await until(() => source.counts.reconnections === 1).then(() => times(source, 5));
    expect(isIncreasing([...before, ...after])).toBe(true);
    expect(events.at(-1)?.type).toBe('connected');
    expect(lost(events).length).toBeGreaterThanOrEqual(2);
  });

  it('that freezes is connected anew', async () => {
    const events: SourceEvent[] = [];
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'a', clip);
    await using source = await openSource(relay.url('a'), {
      stallTimeoutMs: 500,
      onEvent: (event) => events.push(event),
    });
    await times(source, 3);
    relay.isStalled = true;
    await until(() => lost(events).length >= 1);
    relay.isStalled = false;
    await until(() => source.counts.reconnections >= 1);
    expect(isIncreasing(await times(source, 3))).toBe(true);
    const [event] = lost(events);
    expect(event).toMatchObject({ error: { details: { cause: 'stalled' } } });
  });

  it('survives lost and damaged packets', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'a', clip);
    await using source = await openSource(relay.url('a'));
    await times(source, 2);
    relay.dropEvery = 11;
    relay.damageEvery = 7;
    expect(isIncreasing(await times(source, 30))).toBe(true);
  });

  it('whose decoder is killed gets another one', async () => {
    await using relay = await RtspRelay.start();
    await using publisher = await publish(relay, 'a', clip);
    const publishing = descendants(process.pid).map(({ pid }) => pid);
    await using source = await openSource(relay.url('a'));
    await times(source, 3);
    const decoder = descendants(process.pid).find(({ pid }) => !publishing.includes(pid));
    process.kill(decoder?.pid ?? 0, 'SIGKILL');
    await until(() => source.counts.reconnections === 1);
    await times(source, 3);
    void publisher;
  });

  it('that may not be connected again ends with the loss', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'a', clip);
    await using source = await openSource(relay.url('a'), { maxReconnects: 0 });
    await times(source, 3);
    relay.resetAll();
    await expect(times(source, 1_000)).rejects.toMatchObject({ reason: 'SOURCE_FAILED' });
  });

  it('that cannot be connected at first is tried as often as a lost one', async () => {
    const events: SourceEvent[] = [];
    const onEvent = (event: SourceEvent) => void events.push(event);
    const options = { retryFirst: true, maxReconnects: 2, reconnectDelayMs: 50, onEvent };
    const failing = openSource('rtsp://127.0.0.1:1/none', options);
    await expect(failing).rejects.toMatchObject({ reason: 'SOURCE_FAILED', details: { cause: 'refused' } });
    expect(lost(events)).toHaveLength(2);
  });

  it('whose frames wait for a busy process has not stalled, nor has any other', async () => {
    const events: SourceEvent[] = [];
    const onEvent = (event: SourceEvent) => void events.push(event);
    await using source = await openSource('lavfi:testsrc=size=64x48:rate=25', { stallTimeoutMs: 1_000, onEvent });
    await times(source, 3);
    // After the turn's reads and before those of the next one, as timers are.
    await new Promise((resolve) => setImmediate(resolve));
    for (const end = performance.now() + 1_500; performance.now() < end;);
    await times(source, 60);
    expect(lost(events)).toEqual([]);
    expect(source.counts.reconnections).toBe(0);
  });

  it.each(['basic', 'digest'] as const)('with a password (%s)', async (scheme) => {
    await using relay = await RtspRelay.start({ auth: { user: 'me', password: 'secret', scheme } });
    await using _publisher = await publish(relay, 'a', clip);
    await using source = await openSource(relay.url('a'));
    await times(source, 2);
    const wrong = relay.url('a').replace('secret', 'guess');
    // Not even with `retryFirst`: what is wrong stays wrong.
    const refused = openSource(wrong, { retryFirst: true });
    await expect(refused).rejects.toMatchObject({ reason: 'SOURCE_FAILED', details: { cause: 'unauthorized' } });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('guess') as string });
  });

  it('with a password: it is on nobody’s command line, neither while it is looked at nor later, and no frame has another time', async () => {
    const password = "se'cret";
    await using relay = await RtspRelay.start({ auth: { user: 'me', password, scheme: 'digest' } });
    await using _publisher = await publish(relay, 'a', clip);
    const shown = new Set<string>();
    const ours = (): ProcessInfo[] => descendants(process.pid).filter(({ pid }) => /pipe:/.test(wholeCommandOf(pid)));
    const looking = setInterval(() => {
      for (const { pid } of ours()) shown.add(wholeCommandOf(pid));
    }, 10);
    try {
      await using source = await openSource(relay.url('a'), {
        buffer: { capacity: 64, whenFull: 'wait', take: 'next' },
      });
      const seen = await times(source, 30);
      const steps = seen.slice(1).map((at, i) => at - (seen[i] ?? 0));
      expect(steps.toSorted((a, b) => a - b)[15]).toBeGreaterThan(30_000);
      expect(isIncreasing(seen)).toBe(true);
      for (const { pid } of ours()) process.kill(pid, 'SIGKILL');
      await times(source, 70); // what waited, and more
      expect(source.counts.reconnections).toBe(1);
    } finally {
      clearInterval(looking);
    }
    const all = [...shown].join('\n');
    expect(all).toContain('ffprobe');
    expect(all).toContain('ffmpeg');
    expect(all).not.toContain('cret');
  });

  it('that is not there: at once, or when it comes', async () => {
    await using relay = await RtspRelay.start();
    await expect(openSource(relay.url('a'))).rejects.toMatchObject({ details: { cause: 'not_found' } });
    const port = relay.port;
    await relay.stop();
    await expect(openSource(`rtsp://127.0.0.1:${port}/a`)).rejects.toMatchObject({ details: { cause: 'refused' } });
    const events: SourceEvent[] = [];
    const opening = openSource(`rtsp://127.0.0.1:${port}/a`, {
      retryFirst: true,
      onEvent: (event) => events.push(event),
    });
    await until(() => lost(events).length >= 1);
    await relay.start();
    await using _publisher = await publish(relay, 'a', clip);
    await using source = await opening;
    await times(source, 2);
  });

  it('that does not answer is given up', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'a', clip);
    relay.isStalled = true;
    await expect(openSource(relay.url('a'), { connectTimeoutMs: 700 })).rejects.toMatchObject({
      details: { cause: 'timeout' },
    });
  });

  it('opening can be given up', async () => {
    const stop = new AbortController();
    const opening = openSource('rtsp://127.0.0.1:9/a', { retryFirst: true, signal: stop.signal });
    stop.abort();
    await expect(opening).rejects.toThrow();
  });

  it('leaves no decoder behind when its process is killed while the stream stalls', async () => {
    await using relay = await RtspRelay.start();
    await using _publisher = await publish(relay, 'a', clip);
    const script = `
      import { openSource } from ${JSON.stringify(join(ROOT, 'src/media/sources/ffmpeg-source.ts'))};
      const source = await openSource(process.argv[1], { stallTimeoutMs: 0 });
      await source.next();
      console.log('ready');
      while (await source.next());`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script, relay.url('a')];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    relay.isStalled = true;
    const decoders: ProcessInfo[] = descendants(child.pid ?? 0).filter(
      ({ pid }) => commandOf(pid).startsWith('ffmpeg') || commandOf(pid).includes('/ffmpeg'),
    );
    expect(decoders.length).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'close');
    await until(() => !decoders.some(isRunning));
  });
});

describe('an HTTP source', () => {
  it('is a file where it has a length, else live', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/secret.mp4') response.writeHead(401).end();
      else if (request.url === '/clip.mp4') {
        const bytes = readFileSync(PERSON);
        response.writeHead(200, { 'Content-Type': 'video/mp4', 'Content-Length': bytes.length }).end(bytes);
      } else response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await using source = await openSource(`${url}/clip.mp4`);
      expect(source.properties.isLive).toBe(false);
      let frames = 0;
      while ((await source.next()) !== undefined) frames++;
      expect(frames).toBe(150);
      await expect(openSource(`${url}/nothing.mp4`)).rejects.toMatchObject({ details: { cause: 'not_found' } });
      await expect(openSource(`${url}/secret.mp4`)).rejects.toMatchObject({ details: { cause: 'unauthorized' } });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('a generated picture is live, at its own pace, and ends', async () => {
    await using source = await openSource('lavfi:testsrc2=size=160x120:rate=50:duration=1');
    expect(source.properties.isLive).toBe(true);
    const seen: number[] = [];
    for (let frame = await source.next(); frame !== undefined; frame = await source.next())
      seen.push(frame.timestampUs);
    expect(isIncreasing(seen)).toBe(true);
    expect(source.counts.captured).toBe(50);
  });
});

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '';
}

/** Empty where it has ended. */
function wholeCommandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
