import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MillraceError } from '../base/errors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { SequencePlaces } from './sequence-places.ts';

interface Host {
  readonly name: string;
  isLost: boolean;
}

let hosts: [Host, Host];
let count: number;
let places: SequencePlaces<Host>;
beforeEach(() => {
  vi.useFakeTimers();
  hosts = [
    { name: 'a', isLost: false },
    { name: 'b', isLost: false },
  ];
  count = 0;
  places = new SequencePlaces('m', { maxIdleMs: 10_000, mustStart: true }, (change) => (count += change));
});
afterEach(() => {
  places.clear();
  vi.useRealTimers();
});

type Flags = '' | 'S' | 'E' | 'SE';

function request(id: bigint | string, flags: Flags, bytes = 4): InferenceRequest {
  const parameters = { sequence_id: id, sequence_start: flags.includes('S'), sequence_end: flags.includes('E') };
  const input = { name: 'x', datatype: 'UINT8', shape: [bytes], data: new Uint8Array(bytes) } as const;
  return { servable: 'm', version: '', id: '', parameters, inputs: [input], outputs: [] };
}

const answer: InferenceResponse = { servable: 'm', version: '', id: '', outputs: [] };

/** The host that the request went to. */
async function send(id: bigint | string, flags: Flags = '', fault?: MillraceError): Promise<string> {
  let name = '';
  const live = hosts.filter(({ isLost }) => !isLost) as [Host, ...Host[]];
  await places.infer(request(id, flags), live, (host) => {
    name = host.name;
    return fault === undefined ? Promise.resolve(answer) : Promise.reject(fault);
  });
  return name;
}

it('only a request within a sequence that lives goes on with one', async () => {
  await send(1n, 'S');
  await send(2n, 'S');
  await send(2n, 'E');
  const goOn = (id: bigint | string, flags: Flags = ''): boolean => places.continues(request(id, flags));
  expect([goOn(1n), goOn(1n, 'E')]).toEqual([true, true]);
  expect([goOn(1n, 'S'), goOn(1n, 'SE'), goOn(2n), goOn(3n), goOn(0n), goOn('1')].filter(Boolean)).toEqual([]);
  const ending = places.infer(request(1n, 'E'), hosts, () => Promise.resolve(answer));
  expect(goOn(1n)).toBe(false);
  await ending;
  await send(4n, 'S');
  for (const host of hosts) host.isLost = true;
  expect(goOn(4n)).toBe(false);
});

it('a sequence stays in its host; a new one goes to the host with the fewest', async () => {
  expect(await send(1n, 'S')).toBe('a');
  expect(await send(2n, 'S')).toBe('b');
  expect(await send('three', 'S')).toBe('a');
  expect(await send('four', 'S')).toBe('b');
  expect([await send(1n), await send(2n), await send('three'), await send('four')]).toEqual(['a', 'b', 'a', 'b']);
  expect(count).toBe(4);
  await send(1n, 'E');
  await send('three', 'E');
  expect(count).toBe(2);
  expect(await send(5n, 'S')).toBe('a');
});

it('an integer and a text are two ids', async () => {
  await send(1n, 'S');
  await send('1', 'S');
  expect(count).toBe(2);
});

it('one that begins and ends at once is forgotten', async () => {
  await send(1n, 'SE');
  expect(count).toBe(0);
});

it('a request of none that is known goes to any host, which says what is wrong', async () => {
  expect(await send(9n)).toBe('a');
  expect(await send(0n)).toBe('a');
  expect(count).toBe(0);
});

it('an id that is silent for too long is forgotten; others are not', async () => {
  await send(1n, 'S');
  await vi.advanceTimersByTimeAsync(8000);
  await send(2n, 'S');
  await vi.advanceTimersByTimeAsync(4000);
  expect(count).toBe(1);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(count).toBe(0);
});

it('one whose request is under way is not', async () => {
  let finish: ((response: InferenceResponse) => void) | undefined;
  const slow = places.infer(request(1n, 'S'), hosts, () => new Promise((resolve) => (finish = resolve)));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(count).toBe(1);
  finish?.(answer);
  await slow;
});

it('a host that is lost takes its sequences along: they must start again', async () => {
  await send(1n, 'S');
  await send(2n, 'S');
  hosts[0].isLost = true;
  places.hostLost();
  expect(count).toBe(1);
  await expect(send(1n)).rejects.toThrow(
    "inference request for sequence 1 to model 'm' must specify the START flag on the first request of the sequence: its host was lost, and its state with it",
  );
  expect(await send(1n, 'S')).toBe('b');
  expect(await send(2n)).toBe('b');
  expect(count).toBe(2);
});

it.each<[string, MillraceError, number]>([
  ['that the host does not let begin', new MillraceError('QUEUE_FULL', 'full'), 0],
  ['whose first run fails, which may go on', new MillraceError('MODEL_FAILED', 'failed'), 1],
])('a sequence %s', async (_what, fault, left) => {
  await expect(send(1n, 'S', fault)).rejects.toThrow(fault);
  expect(count).toBe(left);
});

it('one that its host knows no more is forgotten', async () => {
  await send(1n, 'S');
  const fault = new MillraceError('INVALID_PARAMETER', 'must specify the START flag', { details: { sequence: '1' } });
  await expect(send(1n, '', fault)).rejects.toThrow(fault);
  expect(count).toBe(0);
});

it('what comes behind a large request waits for its answer, since it could overtake it', async () => {
  const sent: number[] = [];
  const finish: (() => void)[] = [];
  const ask = (flags: Flags, bytes: number): Promise<InferenceResponse> =>
    places.infer(request(1n, flags, bytes), hosts, () => {
      sent.push(bytes);
      return new Promise((resolve) => finish.push(() => resolve(answer)));
    });
  const answers = [ask('S', 5), ask('', 20_000), ask('', 6), ask('E', 7)];
  await Promise.resolve();
  expect(sent).toEqual([5, 20_000]);
  finish[1]?.();
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toEqual([5, 20_000, 6, 7]);
  for (const done of finish) done();
  await Promise.all(answers);
  expect(count).toBe(0);
});

it('the number of ids is bounded', async () => {
  for (let id = 1n; id <= 65_536n; id++) await send(id, 'S');
  await expect(send(70_000n, 'S')).rejects.toThrow("model 'm' has 65536 sequences under way, which is the limit");
});

it('where the host keeps no book of sequences, any request with an id begins one', async () => {
  places = new SequencePlaces('m', { maxIdleMs: 10_000, mustStart: false }, (change) => (count += change));
  expect([await send(1n), await send(2n), await send(1n), await send(2n)]).toEqual(['a', 'b', 'a', 'b']);
  expect(places.hostOf(request(2n, ''))).toBe(hosts[1]);
  expect(places.hostOf(request(3n, ''))).toBeUndefined();
  hosts[0].isLost = true;
  expect(places.hostOf(request(1n, ''))).toBeUndefined();
  await expect(send(1n)).rejects.toThrow('its host was lost, and its state with it');
  expect(await send(1n)).toBe('b'); // it was told, and goes on
});

it('nothing begins once the servable has gone, though late requests still come', async () => {
  places.clear();
  expect(await send(1n, 'S')).toBe('a');
  expect([count, places.count, vi.getTimerCount()]).toEqual([0, 0, 0]);
});

it('a refusal of an old request does not end the sequence that has begun anew behind it', async () => {
  await send(1n, 'S');
  let refuse: (error: MillraceError) => void = () => {};
  const old = places.infer(request(1n, ''), hosts, () => new Promise((_, reject) => (refuse = reject)));
  let answerStart: (response: InferenceResponse) => void = () => {};
  const anew = places.infer(request(1n, 'S'), hosts, () => new Promise((resolve) => (answerStart = resolve)));
  refuse(new MillraceError('INVALID_PARAMETER', 'unknown', { details: { sequence: '1' } }));
  await expect(old).rejects.toThrow('unknown');
  answerStart(answer);
  await anew;
  expect(places.continues(request(1n, ''))).toBe(true);
});
