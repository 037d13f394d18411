import { beforeEach, expect, test, vi } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { FfmpegSink } from './ffmpeg-sink.ts';
import { QueuedSink } from './queued-sink.ts';
import type { SinkEvent, SinkFrame } from './video-sink.ts';

const { FakePlayer, players } = vi.hoisted(() => {
  const players: FakePlayer[] = [];
  class FakePlayer {
    isConnected = false;
    hasEnded = false;
    isAborted = false;
    failure: Error | undefined;

    constructor() {
      players.push(this);
    }
    async write(): Promise<void> {
      await Promise.resolve();
      if (this.failure !== undefined) throw this.failure;
    }
    async finish(): Promise<void> {}
    async abort(): Promise<void> {
      await Promise.resolve();
      this.isAborted = true;
    }
  }
  return { FakePlayer, players };
});

vi.mock('./player.ts', () => ({ Player: FakePlayer }));

beforeEach(() => {
  players.length = 0;
});

const lost = new MillraceError('SINK_FAILED', 'sink x: gone', { details: { cause: 'lost' } });

function open(maxReconnects: number) {
  const events: SinkEvent[] = [];
  const driver = new FfmpegSink({
    label: 'x',
    process: () => ({ program: 'ffmpeg', args: [] }),
    maxReconnects,
    retryFirst: true,
    onEvent: (event) => events.push(event),
    stallMs: 1000,
  });
  return { driver, events, sink: new QueuedSink(driver, { capacity: 4, whenFull: 'wait' }) };
}

const frame: SinkFrame = { timestampUs: 0, width: 1, height: 1, format: 'gray', data: new Uint8Array(1) };

async function write(sink: QueuedSink): Promise<void> {
  await sink.write(frame);
  await new Promise((resolve) => setImmediate(resolve));
}

test('a frame at which a sink fails for good is neither written nor a dropped one', async () => {
  const { sink } = open(0);
  await write(sink);
  await write(sink);
  players[0]!.failure = lost;
  await write(sink);
  await expect(sink.write(frame)).rejects.toBe(lost);
  expect(sink.counts).toEqual({ written: 2, droppedFull: 0, droppedLost: 0, reconnections: 0 });
  await sink[Symbol.asyncDispose]();
});

test('a player that is lost while its child runs on is ended', async () => {
  const { sink, driver } = open(9);
  await write(sink);
  players[0]!.failure = new MillraceError('SINK_FAILED', 'no such format', { details: { cause: 'lost' } });
  await write(sink);
  await driver.finish();
  expect(players[0]?.isAborted).toBe(true);
  await sink[Symbol.asyncDispose]();
});

test('reconnections are connections, not tries', async () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(1e6);
  const { sink, events } = open(9);
  for (const isConnected of [true, false, false, true]) {
    await write(sink);
    const player = players.at(-1)!;
    player.isConnected = isConnected;
    await write(sink);
    Object.assign(player, { failure: lost, hasEnded: true });
    await write(sink);
    now.mockReturnValue(performance.now() + 60_000);
  }
  now.mockRestore();
  expect(players).toHaveLength(4);
  expect(events).toHaveLength(4);
  expect(sink.counts).toEqual({ written: 8, droppedFull: 0, droppedLost: 4, reconnections: 1 });
  await sink[Symbol.asyncDispose]();
});
