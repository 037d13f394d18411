import { duplexPair } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import { openBody, readRequest } from './codec.ts';
import { Connection, fromStream } from './connection.ts';
import { MESSAGE } from './frame.ts';
import { OutgoingCalls } from './outgoing-calls.ts';

let near: Connection;
let far: Connection;
let calls: OutgoingCalls;
/** What the other end has seen: ids of calls, and "ABORT channel". */
let seen: string[];

beforeEach(() => {
  seen = [];
  const [one, other] = duplexPair();
  near = new Connection(
    fromStream(one),
    () => {},
    () => {},
  );
  const receive = (type: number, channel: number, body: Buffer): void => {
    if (type === MESSAGE.ABORT) return void seen.push(`ABORT ${channel}`);
    const { head, tensorsAt } = openBody(body);
    expect(head.varint()).toBe(7);
    expect(head.varint()).toBeGreaterThan(0);
    seen.push(readRequest(body, head, tensorsAt).id);
  };
  far = new Connection(fromStream(other), receive, () => {});
  let channel = 0;
  const limits = { maxMessages: 2, maxBytes: 10_000 };
  calls = new OutgoingCalls({ connection: near, newChannel: () => ++channel, limits });
});
afterEach(() => {
  near.close();
  far.close();
});

const request = (id: string, bytes = 4): InferenceRequest => ({
  servable: 'm',
  version: '',
  id,
  inputs: [{ name: 'x', datatype: 'UINT8', shape: [bytes], data: new Uint8Array(bytes) }],
  outputs: [],
});
const response = { servable: 'm', version: '1', id: '', outputs: [] };
const call = (id: string, bytes?: number, cancellation = new Cancellation()) =>
  calls.infer(7, request(id, bytes), cancellation);

it('no more are under way than the limits let; the rest follows in its order', async () => {
  const answers = ['a', 'b', 'c', 'd'].map((id) => call(id));
  await expect.poll(() => seen).toEqual(['a', 'b']);
  expect(calls.size).toBe(2);
  calls.respond(2, response);
  await expect.poll(() => seen).toEqual(['a', 'b', 'c']);
  calls.fail(1, new MillraceError('MODEL_FAILED', 'boom'));
  await expect(answers[0]).rejects.toThrow('boom');
  await expect.poll(() => seen).toEqual(['a', 'b', 'c', 'd']);
  for (const channel of [3, 4]) calls.respond(channel, response);
  await Promise.all(answers.slice(1));
});

it('a large one waits for its bytes, alone it passes', async () => {
  const answers = [call('large', 50_000), call('small')];
  await expect.poll(() => seen).toEqual(['large']);
  calls.respond(1, response);
  await expect.poll(() => seen).toEqual(['large', 'small']);
  calls.respond(2, response);
  await Promise.all(answers);
});

it('one that is given up while it waits is never sent; one under way is taken back', async () => {
  const [first, third] = [new Cancellation(), new Cancellation()];
  const answers = [call('a', 4, first), call('b'), call('c', 4, third), call('d')];
  await expect.poll(() => seen).toEqual(['a', 'b']);
  third.cancel(new MillraceError('CANCELLED', 'gone'));
  await expect(answers[2]).rejects.toMatchObject({ reason: 'CANCELLED' });
  first.cancel(new MillraceError('CANCELLED', 'gone'));
  await expect(answers[0]).rejects.toMatchObject({ reason: 'CANCELLED' });
  await expect.poll(() => seen).toEqual(['a', 'b', 'ABORT 1', 'd']);
  calls.respond(1, response); // it had been on its way
  for (const channel of [2, 3]) calls.respond(channel, response);
  await Promise.all([answers[1], answers[3]]);
});

it('all end with the connection, those that wait too, and those to come', async () => {
  const answers = ['a', 'b', 'c'].map((id) => call(id));
  calls.lose(new MillraceError('HOST_LOST', 'gone'));
  for (const answer of [...answers, call('d')]) await expect(answer).rejects.toMatchObject({ reason: 'HOST_LOST' });
  expect(calls.size).toBe(0);
});
