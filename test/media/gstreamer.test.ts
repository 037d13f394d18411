import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from '../../src/media/sources/ffmpeg-source.ts';
import { openSink } from '../../src/media/sinks/open-sink.ts';
import type { SinkFrame } from '../../src/media/sinks/video-sink.ts';
import { probeClip } from '../support/clips.ts';
import { ROOT } from '../support/paths.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { until } from '../support/until.ts';

/** Debian: gstreamer1.0-rtsp gir1.2-gst-rtsp-server-1.0 python3-gi and plugins (`scripts/system-packages.sh`). */
const PYTHON = '/usr/bin/python3';
const check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer";
const isThere = spawnSync(PYTHON, ['-c', check]).status === 0;

/** A server that is not ours: a relay of our own could share our misreadings of RTSP. */
describe.skipIf(!isThere)('GStreamer’s RTSP server', () => {
  let folder: ScratchFolder;
  let url: string;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    folder = await ScratchFolder.create();
    const args = [join(ROOT, 'test/media/gst_rtsp_server.py'), join(folder.path, 'record.ts')];
    const child = spawn(PYTHON, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = (await once(child.stdout, 'data')) as [Buffer];
    url = `rtsp://127.0.0.1:${Number(port.toString())}`;
    stop = async () => {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    };
  });
  afterAll(async () => {
    await stop();
    await folder[Symbol.asyncDispose]();
  });

  it('is read', async () => {
    await using source = await openSource(`${url}/play`);
    expect(source.properties).toMatchObject({ isLive: true, width: 320, height: 240, codec: 'h264' });
    let last = -1;
    for (let i = 0; i < 20; i++) {
      const frame = await source.next();
      expect(frame?.timestampUs).toBeGreaterThan(last);
      last = frame?.timestampUs ?? -1;
    }
  });

  it('is published to', async () => {
    const recorded = join(folder.path, 'record.ts');
    await using source = await openSource('lavfi:testsrc2=size=320x240:rate=30:duration=30');
    await using sink = openSink(`${url}/record`);
    await until(async () => {
      await sink.write((await source.next()) as SinkFrame);
      return (await stat(recorded).catch(() => undefined))?.size !== undefined && sink.counts.written > 90;
    });
    await sink.finish();
    const { width, height, times } = await probeClip(recorded);
    expect([width, height]).toEqual([320, 240]);
    expect(times.length).toBeGreaterThan(30);
  });
});
