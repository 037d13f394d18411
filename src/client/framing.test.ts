import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { allocateWithRoom } from '../base/headroom.ts';
import { decodeInferRequest } from '../protocol/wire/infer-codec.ts';
import { messageOf, sendFramed } from './framing.ts';

const picture = (data: Buffer) =>
  ({ model: 'm', id: '7', inputs: [{ name: 'frame', datatype: 'UINT8', shape: [data.length], data }] }) as const;

describe('messageOf', () => {
  it.each([10, 100_000])('has the request before and in front of %d bytes with room', (bytes) => {
    const data = allocateWithRoom(bytes).fill(3);
    for (const message of [messageOf(picture(data)), messageOf(picture(data)), messageOf(picture(Buffer.from(data)))]) {
      const { servable, id, inputs } = decodeInferRequest(message);
      expect([servable, id, inputs.length]).toEqual(['m', '7', 1]);
      expect(Buffer.compare(inputs[0]?.data ?? Buffer.of(), data)).toBe(0);
    }
  });

  it('copies no big tensor that has room, once', () => {
    const data = allocateWithRoom(100_000);
    expect(messageOf(picture(data)).buffer).toBe(data.buffer);
    expect(messageOf(picture(data)).buffer).not.toBe(data.buffer);
  });
});

describe('sendFramed', () => {
  const client = new Client('127.0.0.1:1', credentials.createInsecure());
  afterEach(() => client.close());

  it('gives grpc-js messages with their heads, so that it copies none', async () => {
    sendFramed(client);
    const { internalChannel } = client.getChannel() as unknown as {
      internalChannel: {
        filterStackFactory: { createFilter(): { sendMessage(message: Promise<object>): Promise<{ message: Buffer }> } };
      };
    };
    const filters = internalChannel.filterStackFactory.createFilter();
    const data = allocateWithRoom(100_000);
    const message = messageOf(picture(data));
    const sent = await filters.sendMessage(Promise.resolve({ message }));
    expect(sent.message.buffer).toBe(data.buffer);
    expect(sent.message.subarray(0, 5)).toEqual(
      Buffer.of(0, 0, 1, ...Buffer.from([(message.length >> 8) & 255, message.length & 255])),
    );
    const other = await filters.sendMessage(Promise.resolve({ message: Buffer.from('abc') }));
    expect(other.message).toEqual(Buffer.from('\0\0\0\0\x03abc'));
  });
});
