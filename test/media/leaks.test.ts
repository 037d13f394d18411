import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSource } from '../../src/media/sources/ffmpeg-source.ts';
import { openSink } from '../../src/media/sinks/open-sink.ts';
import { makeClip } from '../support/clips.ts';
import { descendants, openSockets } from '../support/leaks.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';

let folder: ScratchFolder;
beforeAll(async () => {
  folder = await ScratchFolder.create();
});
afterAll(() => folder[Symbol.asyncDispose]());

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes in use of this process after collections; RSS would count what the allocator keeps for later. */
async function bytesInUse(): Promise<number> {
  for (let time = 0; time < 3; time++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve)); // memory of buffers goes a turn later
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

it('10,000 frames from a file to a file leave nothing behind', async () => {
  const clip = await makeClip(join(folder.path, 'long.mp4'), { size: '64x48', frames: 10_000 });
  let early = 0;
  {
    await using source = await openSource(clip);
    await using sink = openSink(join(folder.path, 'out.mkv'), { queue: { capacity: 4, whenFull: 'wait' } });
    for (let frame = await source.next(); frame !== undefined; frame = await source.next()) {
      await sink.write(frame);
      if (frame.number === 2_000) early = await bytesInUse();
    }
    await sink.finish();
    expect(sink.counts.written).toBe(10_000);
    // 8,000 frames are 74 MB.
    expect((await bytesInUse()) - early).toBeLessThan(8 << 20);
  }
  expect(descendants(process.pid)).toEqual([]);
});

it('nor do twenty sources and sinks that were opened and closed', async () => {
  const clip = await makeClip(join(folder.path, 'short.mp4'), { frames: 10 });
  const before = openSockets(process.pid);
  for (let i = 0; i < 20; i++) {
    await using source = await openSource(clip);
    await using sink = openSink(join(folder.path, `out-${i}.mp4`));
    const frame = await source.next();
    if (frame !== undefined) await sink.write(frame);
  }
  expect(descendants(process.pid)).toEqual([]);
  expect(openSockets(process.pid)).toBeLessThanOrEqual(before + 1);
});
