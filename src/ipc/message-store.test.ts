import { existsSync, fstatSync, ftruncateSync, openSync, readdirSync } from 'node:fs';
import { duplexPair, type Duplex } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { BufferPool } from '../base/buffer-pool.ts';
import { openBody } from './codec.ts';
import { Connection, fromStream } from './connection.ts';
import { MESSAGE } from './frame.ts';
import { checkPlace, closeMessageStore, openMessageStore, readMessage, StoreWriter } from './message-store.ts';
import type { MessageStore } from './message-store.ts';

const KIB = 1024;
const opened: MessageStore[] = [];

function open(): MessageStore {
  const store = openMessageStore();
  if (store === undefined) throw new Error('no store');
  opened.push(store);
  return store;
}

afterEach(() => {
  for (const store of opened.splice(0)) closeMessageStore(store);
});

const filled = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);

describe.runIf(existsSync('/dev/shm'))('a message store', () => {
  test('has no name, takes memory only as it is used, and at most 16 MiB', () => {
    const store = open();
    expect(readdirSync('/dev/shm').filter((name) => name.startsWith(`millrace-${process.pid}-`))).toEqual([]);
    expect(fstatSync(store.fd)).toMatchObject({ nlink: 0, blocks: 0 });
    expect(store.bytes).toBeLessThanOrEqual(16 * 2 ** 20);
  });

  test('there is none where files cannot be made', () => {
    expect(openMessageStore('/proc/self')).toBeUndefined();
    expect(openMessageStore('/no/such/folder')).toBeUndefined();
  });

  test('is for messages of middling size', () => {
    const writer = new StoreWriter(open());
    expect([31, 32, 1024, 2048, 2049].map((kib) => writer.takes(kib * KIB))).toEqual([false, true, true, true, false]);
  });

  test('keeps what was written until it is freed, and then uses its place again', () => {
    const store = open();
    const writer = new StoreWriter(store);
    const sizes = [32 * KIB, 700 * KIB, 64 * KIB, 2048 * KIB];
    const places = sizes.map((size, seed) => {
      const bytes = filled(size, seed);
      return writer.write([bytes.subarray(0, 100), bytes.subarray(100)], size) as number;
    });
    for (const [at, size] of sizes.entries()) {
      const body = Buffer.alloc(size);
      readMessage(store, places[at] as number, body);
      expect(body.equals(filled(size, at))).toBe(true);
    }
    writer.free(places[1] as number);
    expect(writer.write([filled(600 * KIB, 9)], 600 * KIB)).toBe(places[1]);
    expect(writer.write([filled(700 * KIB, 9)], 700 * KIB)).toBeGreaterThan(places[3] as number);
  });

  test('says when it is full, and refuses to free what is not there', () => {
    const store = open();
    const writer = new StoreWriter(store);
    const bytes = filled(2048 * KIB, 1);
    const places: number[] = [];
    for (let place = writer.write([bytes], bytes.length); place !== undefined;) {
      places.push(place);
      place = writer.write([bytes], bytes.length);
    }
    expect(places).toHaveLength(Math.floor(store.bytes / bytes.length));
    writer.free(places[0] as number);
    expect(() => writer.free(places[0] as number)).toThrow('nothing is there');
    expect(() => writer.free(1e9)).toThrow('nothing is there');
    expect(writer.write([bytes], bytes.length)).toBe(places[0]);
  });

  test('what cannot be in it is refused', () => {
    const store = open();
    expect(() => checkPlace(store, 0, store.bytes + 1)).toThrow('of a store of');
    expect(() => checkPlace(store, 2 ** 32 - 1, 1)).toThrow('of a store of');
    const place = new StoreWriter(store).write([filled(64 * KIB, 1)], 64 * KIB) as number;
    ftruncateSync(store.fd, 100);
    expect(() => readMessage(store, place, Buffer.alloc(64 * KIB))).toThrow('100 found');
  });
});

/** Two ends with stores; what either got, in order. */
function connect(): { near: Connection; far: Connection; got: Buffer[]; answers: Buffer[]; nearStream: Duplex } {
  const [nearStream, farStream] = duplexPair();
  const stores = { outgoing: open(), incoming: open() };
  // Each end closes its own.
  opened.length = 0;
  const copies = { outgoing: reopened(stores.incoming), incoming: reopened(stores.outgoing) };
  const got: Buffer[] = [];
  const answers: Buffer[] = [];
  const ignore = (): void => {};
  const near = new Connection(
    fromStream(nearStream),
    (_type, _channel, body) => answers.push(body),
    ignore,
    undefined,
    stores,
  );
  const pool = new BufferPool(2 ** 24);
  const receive = (type: number, channel: number, body: Buffer): void => {
    got.push(body);
    if (type === MESSAGE.PUSH) far.send(MESSAGE.RESPONSE, channel, () => [tensorOf(body)]);
  };
  const far: Connection = new Connection(fromStream(farStream), receive, ignore, pool, copies);
  return { near, far, got, answers, nearStream };
}

/** As a child process has it: the same file under a descriptor of its own. */
function reopened({ fd, bytes }: MessageStore): MessageStore {
  return { fd: openSync(`/proc/self/fd/${fd}`, 'r+'), bytes };
}

function tensorOf(body: Buffer): Buffer {
  return body.subarray(openBody(body).tensorsAt);
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

describe.runIf(existsSync('/dev/shm'))('a connection with stores', () => {
  test('sends big messages through them, both ways, in order, for as long as one likes', async () => {
    const { near, got, answers, nearStream } = connect();
    const sizes = Array.from({ length: 60 }, (_, i) => [10, 100_000, 1_000_000, 3_000_000, 40_000][i % 5] as number);
    let overStream = 0;
    const write = nearStream.write.bind(nearStream);
    nearStream.write = ((chunk: Buffer, ...rest: []) => {
      overStream += chunk.length;
      return write(chunk, ...rest);
    }) as typeof nearStream.write;
    for (const [at, size] of sizes.entries()) {
      near.send(MESSAGE.PUSH, 1, () => [filled(size, at)]);
      if (at % 10 === 9) await until(() => answers.length > at);
    }
    await until(() => answers.length === sizes.length);
    for (const messages of [got, answers]) {
      for (const [at, size] of sizes.entries()) {
        const tensor = tensorOf(messages[at] as Buffer);
        expect(tensor.subarray(0, size).equals(filled(size, at))).toBe(true);
        expect(tensor.byteOffset % 8).toBe(0);
      }
    }
    const tooBig = sizes.filter((size) => size > 2 ** 21).length * 3_000_000;
    expect(overStream).toBeLessThan(tooBig * 1.5);
    near.close();
  });

  test('tells at once that big tensors are no longer looked at', () => {
    const { near } = connect();
    let sent = 0;
    const tensor = filled(100_000, 1);
    near.send(
      MESSAGE.PUSH,
      1,
      () => [tensor],
      () => sent++,
    );
    expect(sent).toBe(1);
    near.close();
  });

  test('a message that cannot be there ends it', async () => {
    const [nearStream, farStream] = duplexPair();
    const stores = { outgoing: open(), incoming: open() };
    opened.length = 0;
    const cause = new Promise<Error | undefined>((resolve) => {
      new Connection(fromStream(nearStream), () => {}, resolve, undefined, stores);
    });
    const frame = Buffer.alloc(20);
    frame.writeUInt32LE(8, 0);
    frame[8] = MESSAGE.RESPONSE;
    frame[9] = 7;
    frame.writeUInt32LE(0, 12);
    frame.writeUInt32LE(stores.incoming.bytes + 1, 16);
    farStream.write(frame);
    expect((await cause)?.message).toMatch(/of a store of/);
    expect(() => fstatSync(stores.outgoing.fd)).toThrow('EBADF');
  });
});
