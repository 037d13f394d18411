import { duplexPair, Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Connection, fromStream } from './connection.ts';
import { MESSAGE } from './frame.ts';
import { HeadReader } from './head.ts';
import { openBody } from './codec.ts';
import { Inbox } from './inbox.ts';
import { Outbox } from './outbox.ts';
import { Uint64 } from '../tensor/parameters.ts';

/** What the outbox of `send` writes, as one buffer. */
async function wire(send: (outbox: Outbox) => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const stream = new Duplex({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      setImmediate(done);
    },
    read() {},
  });
  const outbox = new Outbox(stream);
  send(outbox);
  // A chunk is written in each turn of the event loop for as long as there are any.
  let written: number;
  do {
    written = chunks.length;
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  } while (chunks.length > written);
  return Buffer.concat(chunks);
}

const bytes = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);

describe('frames', () => {
  it('come out as they went in, whatever the pieces, big and small interleaved, tensors 8-aligned', async () => {
    const sizes = [0, 1, 7, 8, 4096, 16_384, 100_000, 262_144, 700_001, 3, 1_500_000, 9];
    const sent = await wire((outbox) => {
      sizes.forEach((size, i) => outbox.send(MESSAGE.PUSH, i % 4, Uint8Array.of(i), [bytes(size, i), bytes(i, 1)]));
    });
    for (const piece of [1, 5, 13, 4099, 65_536, sent.length]) {
      if (piece < 13 && sent.length > 300_000 && piece !== 5) continue;
      const got: number[] = [];
      const inbox = new Inbox((type, channel, body) => {
        const { tensorsAt } = openBody(body);
        const index = body[4] as number;
        expect([type, channel]).toEqual([MESSAGE.PUSH, index % 4]);
        expect((body.byteOffset + tensorsAt) % 8).toBe(0);
        const size = sizes[index] as number;
        expect(Buffer.compare(body.subarray(tensorsAt, tensorsAt + size), bytes(size, index))).toBe(0);
        got.push(index);
      });
      for (let at = 0; at < sent.length; at += piece) inbox.receive(sent.subarray(at, at + piece));
      expect(got.toSorted((a, b) => a - b)).toEqual(sizes.map((_, i) => i));
      for (const channel of [0, 1, 2, 3]) {
        const ofChannel = got.filter((i) => i % 4 === channel);
        expect(ofChannel).toEqual(ofChannel.toSorted((a, b) => a - b));
      }
    }
  });

  it('lets an abort overtake a big tensor of its channel, and nothing else', async () => {
    const sent = await wire((outbox) => {
      outbox.send(MESSAGE.PUSH, 1, Uint8Array.of(0), [bytes(5_000_000, 0)]);
      outbox.send(MESSAGE.HALF_CLOSE, 1, Uint8Array.of(1), []);
      outbox.send(MESSAGE.ABORT, 1, Uint8Array.of(2), []);
    });
    const types: number[] = [];
    new Inbox((type) => types.push(type)).receive(sent);
    expect(types).toEqual([MESSAGE.ABORT, MESSAGE.PUSH, MESSAGE.HALF_CLOSE]);
  });

  it('refuses what is not frames and tells the owner once', async () => {
    const [near, far] = duplexPair();
    const closed = new Promise<Error | undefined>((resolve) => new Connection(fromStream(near), () => {}, resolve));
    far.write(Buffer.alloc(64, 0xff));
    expect((await closed)?.message).toMatch(/frame of 4294967295 bytes/);
  });
});

describe('the head', () => {
  it('keeps every kind of value exactly', async () => {
    const [near, far] = duplexPair();
    const parameters = {
      yes: true,
      no: false,
      big: -(2n ** 63n),
      text: 'ünïcode — longer than twenty-four bytes',
      half: 0.5,
      most: new Uint64(2n ** 64n - 1n),
      __proto__x: 'own',
    };
    const read = new Promise<HeadReader>((resolve) => {
      new Connection(
        fromStream(far),
        (_type, _channel, body) => resolve(openBody(body).head),
        () => {},
      );
    });
    new Connection(
      fromStream(near),
      () => {},
      () => {},
    ).send(MESSAGE.PUSH, 7, (writer) => {
      writer.varint(2 ** 53 - 1);
      writer.string('');
      writer.string('é');
      writer.string('x'.repeat(40_000));
      writer.parameters(parameters);
      writer.parameters(undefined);
    });
    const head = await read;
    expect(head.varint()).toBe(2 ** 53 - 1);
    expect([head.string(), head.string(), head.string().length]).toEqual(['', 'é', 40_000]);
    expect(head.parameters()).toEqual(parameters);
    expect(head.parameters()).toBeUndefined();
  });
});
