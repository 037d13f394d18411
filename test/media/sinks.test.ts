import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from '../../src/media/sources/ffmpeg-source.ts';
import { openSink, type SinkOptions } from '../../src/media/sinks/open-sink.ts';
import type { SinkEvent, SinkFrame, VideoSink } from '../../src/media/sinks/video-sink.ts';
import { PERSON, probeClip } from '../support/clips.ts';
import { freePort } from '../support/free-port.ts';
import { descendants } from '../support/leaks.ts';
import { ROOT } from '../support/paths.ts';
import { RtspRelay } from '../support/rtsp-relay.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { until } from '../support/until.ts';

let folder: ScratchFolder;
beforeAll(async () => {
  folder = await ScratchFolder.create();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  expect(descendants(process.pid)).toEqual([]);
});
const path = (name: string): string => join(folder.path, name);
const WAIT = { capacity: 4, whenFull: 'wait' } as const;

function frameOf(number: number, { width = 64, height = 48 }: { width?: number; height?: number } = {}): SinkFrame {
  const data = new Uint8Array(width * height * 3).fill((number * 5) % 256);
  return { width, height, format: 'rgb24', data, timestampUs: number * 40_000 };
}

async function writeAll(sink: VideoSink, count: number, from = 0): Promise<void> {
  for (let number = from; number < from + count; number++) await sink.write(frameOf(number));
}

/** Writes until the sink fails, as one that is not there does at some frame. */
async function failureOf(target: string, options: SinkOptions = {}): Promise<unknown> {
  await using sink = openSink(target, { queue: WAIT, ...options });
  try {
    await writeAll(sink, 500);
    await sink.finish();
  } catch (error) {
    return error;
  }
  return undefined;
}

async function copy(pixels: 'rgb24' | 'bgr24' | 'jpeg', to: string): Promise<void> {
  await using source = await openSource(PERSON, { pixels });
  await using sink = openSink(to, { queue: WAIT });
  for (let frame = await source.next(); frame !== undefined; frame = await source.next()) await sink.write(frame);
  await sink.finish();
  expect(sink.counts).toEqual({ written: 150, droppedFull: 0, droppedLost: 0, reconnections: 0 });
}

describe('a file', () => {
  it.each(['rgb24', 'bgr24', 'jpeg'] as const)(
    'has every %s frame, at its time, and looks like the source',
    async (pixels) => {
      const file = path(`${pixels}.mp4`);
      await copy(pixels, file);
      const { width, height, times } = await probeClip(file);
      expect([width, height, times.length]).toEqual([640, 480, 150]);
      expect(times.map((time) => Math.round(time * 30))).toEqual(Array.from({ length: 150 }, (_, i) => i));
      const psnr = await ffmpegLog('-i', file, '-i', PERSON, '-lavfi', 'psnr', '-f', 'null', '-');
      expect(Number(/average:([\d.]+)/.exec(psnr)?.[1])).toBeGreaterThan(33);
    },
  );

  it.each(['mkv', 'ts', 'avi', 'webm'])('as %s', async (format) => {
    const file = path(`format.${format}`);
    await using sink = openSink(file, { queue: WAIT });
    await writeAll(sink, 30);
    await sink.finish();
    expect((await probeClip(file)).times.length).toBeGreaterThanOrEqual(29);
  });

  it('keeps gaps in time, takes odd sizes, and pictures of other sizes than its first', async () => {
    const file = path('odd.mp4');
    await using sink = openSink(file, { queue: WAIT });
    for (const [number, size] of [
      [0, { width: 33, height: 21 }],
      [1, { width: 33, height: 21 }],
      [9, { width: 66, height: 30 }],
      [10, { width: 33, height: 21 }],
    ] as const) {
      await sink.write(frameOf(number, size));
    }
    await sink.finish();
    const { width, height, times } = await probeClip(file);
    expect([width, height]).toEqual([34, 22]);
    expect(times.map((time) => Math.round(time * 25))).toEqual([0, 1, 9, 10]);
  });

  it('has a key frame every two seconds, however few frames there are', async () => {
    const file = path('slow.mp4');
    await using sink = openSink(file, { queue: WAIT });
    for (let second = 0; second < 9; second++) await sink.write({ ...frameOf(0), timestampUs: second * 1e6 });
    await sink.finish();
    const { stdout } = await promisify(execFile)('ffprobe', [
      '-v',
      'error',
      '-show_entries',
      'frame=key_frame',
      '-of',
      'csv=p=0',
      file,
    ]);
    expect(stdout.match(/[01]/g)?.join('')).toBe('101010101');
  });

  it('can be played when its writer was closed', async () => {
    const closed = path('closed.mp4');
    {
      await using sink = openSink(closed, { queue: WAIT });
      await writeAll(sink, 100);
    }
    expect((await probeClip(closed)).times.length).toBeGreaterThan(80);
  });

  it.each([
    [120, 'mp4', 50],
    [4, 'mp4', 1],
    [4, 'mkv', 1],
  ])('can be played when its process was killed after %i frames: %s', async (frames, format, least) => {
    const killed = path(`killed-${frames}.${format}`);
    const script = `
      import { openSource } from ${JSON.stringify(join(ROOT, 'src/media/sources/ffmpeg-source.ts'))};
      import { openSink } from ${JSON.stringify(join(ROOT, 'src/media/sinks/open-sink.ts'))};
      const source = await openSource(${JSON.stringify(PERSON)});
      const sink = openSink(process.argv[1], { queue: { capacity: 1, whenFull: 'wait' } });
      for (let i = 0; i < ${frames}; i++) await sink.write(await source.next());
      console.log('ready');
      setInterval(() => {}, 1000);`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script, killed];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const writers = descendants(child.pid ?? 0);
    child.kill('SIGKILL');
    await once(child, 'close');
    await until(() => !writers.some(({ pid }) => isAlive(pid)));
    expect((await probeClip(killed)).times.length).toBeGreaterThanOrEqual(least);
  });

  it.each(['mp4', 'mkv', 'ts'])('half a second of video is on the disk soon: %s', async (format) => {
    const file = path(`soon.${format}`);
    await using sink = openSink(file, { queue: WAIT });
    await writeAll(sink, 45); // 1.8 s, of which the encoder keeps some
    const lengthOf = (): Promise<number> =>
      probeClip(file).then(
        ({ times }) => times.length,
        () => 0,
      );
    await until(async () => (await lengthOf()) > 10);
  });

  it('can be played when its encoder was killed', async () => {
    const file = path('encoder.mp4');
    await using sink = openSink(file, { queue: { capacity: 1, whenFull: 'wait' } });
    await writeAll(sink, 300);
    const [encoder] = descendants(process.pid);
    process.kill(encoder?.pid ?? 0, 'SIGKILL');
    await expect(writeAll(sink, 100, 300)).rejects.toMatchObject({
      reason: 'SINK_FAILED',
      details: { cause: 'killed' },
    });
    expect((await probeClip(file)).times.length).toBeGreaterThan(50);
  });
});

describe('bad sinks', () => {
  it('a full disk', async () => {
    await symlink('/dev/full', path('full.mp4'));
    expect(await failureOf(path('full.mp4'))).toMatchObject({
      reason: 'SINK_FAILED',
      details: { cause: 'full' },
      message: expect.stringContaining('No space left on device') as string,
    });
  });

  it('a folder that is not there, and a format that is none', async () => {
    expect(await failureOf(path('nowhere/out.mp4'))).toMatchObject({ details: { cause: 'not_found' } });
    expect(await failureOf(path('out.nothing'))).toMatchObject({
      reason: 'SINK_FAILED',
      message: expect.stringContaining('suitable output format') as string,
    });
    await mkdir(path('folder.mp4'));
    expect(await failureOf(path('folder.mp4'))).toMatchObject({ reason: 'SINK_FAILED' });
  });

  it('a stream that is refused', async () => {
    expect(await failureOf(`rtsp://127.0.0.1:${await freePort()}/a`)).toMatchObject({
      reason: 'SINK_FAILED',
      details: { cause: 'refused' },
    });
    await using relay = await RtspRelay.start({ auth: { user: 'me', password: 'secret', scheme: 'digest' } });
    const wrong = relay.url('a').replace('secret', 'guess');
    const failure = await failureOf(wrong, { retryFirst: true });
    expect(failure).toMatchObject({ reason: 'SINK_FAILED', details: { cause: 'unauthorized' } });
    expect(String(failure)).not.toContain('guess');
  });

  it('no ffmpeg, no display', () => {
    const { PATH, DISPLAY, WAYLAND_DISPLAY, SDL_VIDEODRIVER } = process.env;
    try {
      for (const name of ['DISPLAY', 'WAYLAND_DISPLAY', 'SDL_VIDEODRIVER']) delete process.env[name];
      expect(() => openSink('screen')).toThrow('there is no display');
      process.env['PATH'] = folder.path;
      expect(() => openSink(path('x.mp4'))).toThrow('ffmpeg is not on the PATH: install ffmpeg');
      expect(() => openSink('screen')).toThrow('ffplay is not on the PATH: install ffmpeg');
    } finally {
      Object.assign(
        process.env,
        { PATH },
        ...Object.entries({ DISPLAY, WAYLAND_DISPLAY, SDL_VIDEODRIVER }).map(([name, value]) =>
          value === undefined ? {} : { [name]: value },
        ),
      );
    }
  });
});

describe('a stream', () => {
  it('is published, and read back', async () => {
    await using relay = await RtspRelay.start({ auth: { user: 'me', password: 'secret', scheme: 'digest' } });
    await using sink = openSink(relay.url('out'), { queue: { capacity: 2, whenFull: 'drop_oldest' }, isPaced: true });
    expect(sink.label).not.toContain('secret');
    await using source = await openSource('lavfi:testsrc2=size=64x48:rate=25');
    const writing = new AbortController();
    const written = (async () => {
      while (!writing.signal.aborted) await sink.write((await source.next()) as SinkFrame);
    })();
    await until(() => relay.isPublished('out'));
    await using back = await openSource(relay.url('out'));
    expect(await back.next()).toMatchObject({ width: 64, height: 48 });
    writing.abort();
    await written;
  });

  it('goes on after its server died, without holding up its writer', async () => {
    const events: SinkEvent[] = [];
    await using relay = await RtspRelay.start();
    const onEvent = (event: SinkEvent): void => void events.push(event);
    await using sink = openSink(relay.url('out'), { queue: { capacity: 2, whenFull: 'drop_oldest' }, onEvent });
    let number = 0;
    const writeUntil = async (isSo: () => boolean): Promise<void> =>
      until(async () => {
        await sink.write(frameOf(number++));
        return isSo();
      });
    await writeUntil(() => relay.packetsIn > 20);
    await relay.stop();
    await writeUntil(() => events.length > 0);
    await relay.start();
    await writeUntil(() => relay.isPublished('out') && sink.counts.reconnections > 0);
    expect(sink.counts.droppedLost).toBeGreaterThan(0);
    expect(events[0]).toMatchObject({ type: 'lost', error: { reason: 'SINK_FAILED' } });
  });

  it('that takes nothing is given up', async () => {
    // Accepts connections and never answers.
    const { createServer } = await import('node:net');
    const server = createServer(() => {}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    try {
      expect(await failureOf(`rtsp://127.0.0.1:${port}/a`, { stallMs: 500 })).toMatchObject({
        details: { cause: 'stalled' },
      });
    } finally {
      server.close();
    }
  });
});

describe('the screen', () => {
  it('shows pictures; closing its window ends it', async () => {
    process.env['SDL_VIDEODRIVER'] = 'dummy';
    try {
      await using sink = openSink('screen', { queue: { capacity: 2, whenFull: 'drop_oldest' } });
      const [first] = [frameOf(0)];
      await sink.write(first as SinkFrame);
      await until(() => descendants(process.pid).some(({ pid }) => commandOf(pid).includes('ffplay')));
      await writeAll(sink, 20, 1);
      await sink.finish();
      expect(sink.counts.written).toBeGreaterThan(0);
    } finally {
      delete process.env['SDL_VIDEODRIVER'];
    }
  });

  it('whose window is closed says so, rather than fail', async () => {
    const { PATH } = process.env;
    const player = await folder.put('bin/ffplay', '#!/bin/sh\nhead -c 200000 > /dev/null\n');
    await chmod(player, 0o755);
    process.env['PATH'] = `${path('bin')}:${PATH}`;
    process.env['SDL_VIDEODRIVER'] = 'dummy';
    try {
      await using sink = openSink('screen', { queue: WAIT });
      await expect(writeAll(sink, 500)).rejects.toMatchObject({
        reason: 'CANCELLED',
        message: 'the window was closed',
      });
    } finally {
      process.env['PATH'] = PATH;
      delete process.env['SDL_VIDEODRIVER'];
    }
  });
});

it('none takes everything', async () => {
  await using sink = openSink('none');
  await writeAll(sink, 100);
  await sink.finish();
  expect(sink.counts.written + sink.counts.droppedFull).toBe(100);
});

async function ffmpegLog(...args: string[]): Promise<string> {
  const child = spawn('ffmpeg', ['-nostdin', '-hide_banner', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  await once(child, 'close');
  return log;
}

function isAlive(pid: number): boolean {
  return commandOf(pid) !== '';
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
