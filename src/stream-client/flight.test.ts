import { describe, expect, it } from 'vitest';
import { Flight, type Sent } from './flight.ts';

const signal = new AbortController().signal;

function sent(number: number): Sent {
  const frame = {
    number,
    timestampUs: number * 100,
    capturedAtMs: 0,
    width: 1,
    height: 1,
    format: 'gray',
    data: new Uint8Array(1),
  } as const;
  return { frame, request: { model: 'm', id: String(number), inputs: [] }, sentAtMs: performance.now() };
}

function flightOf(numbers: readonly number[], timeoutMs = 60_000): Flight {
  const flight = new Flight(numbers.length, () => timeoutMs);
  for (const number of numbers) flight.add(sent(number));
  return flight;
}

/** Whether there is room now. */
async function hasRoom(flight: Flight): Promise<boolean> {
  let isThere = false;
  void flight.room(signal).then(() => (isThere = true));
  await new Promise(setImmediate);
  return isThere;
}

describe('Flight', () => {
  it('has room again after an answer', async () => {
    const flight = flightOf([1, 2]);
    expect(await hasRoom(flight)).toBe(false);
    const room = flight.room(signal);
    expect(flight.settleTime(100, performance.now())).toMatchObject({ timestampUs: 100, frame: { number: 1 } });
    await room;
    expect(flight.unanswered).toBe(0);
  });

  it('an answer to a later frame says that those before it were dropped', async () => {
    const flight = flightOf([1, 2, 3, 4]);
    expect(flight.settleTime(300, performance.now()).frame?.number).toBe(3);
    expect(flight.unanswered).toBe(2);
    expect(flight.entries).toHaveLength(1);
    expect(await hasRoom(flight)).toBe(true);
  });

  it('a second answer to a frame frees no second place', () => {
    const flight = flightOf([1, 2, 3]);
    flight.settleTime(100, performance.now());
    const again = flight.settleTime(100, performance.now());
    expect(again).toMatchObject({ frame: { number: 1 }, latencyMs: undefined });
    expect(flight.entries).toHaveLength(2);
  });

  it('knows the frames of late second answers, also after answers to later ones', () => {
    const flight = flightOf([1, 2, 3]);
    flight.settleTime(100, performance.now());
    flight.settleTime(200, performance.now());
    expect(flight.settleTime(100, performance.now())).toMatchObject({ frame: { number: 1 }, latencyMs: undefined });
    expect(flight.entries).toHaveLength(1);
  });

  it('finds the frame of an answer that does not say that it is done', () => {
    const flight = flightOf([1, 2, 3]);
    expect(flight.find(200, '')).toMatchObject({ timestampUs: 200, frame: { number: 2 }, latencyMs: undefined });
    expect(flight.find(undefined, '3')).toMatchObject({ timestampUs: 300, frame: { number: 3 } });
    expect(flight.entries).toHaveLength(3);
    flight.settleTime(200, performance.now());
    expect(flight.find(200, '').frame?.number).toBe(2);
    expect(flight.find(50, '').frame).toBeUndefined();
    expect(flight.unanswered).toBe(1);
  });

  it('latency ends when the answer came, whenever it is looked at', () => {
    const flight = flightOf([1, 2]);
    const sentAtMs = flight.entries[0]?.sentAtMs ?? NaN;
    expect(flight.settleTime(100, sentAtMs + 5).latencyMs).toBeCloseTo(5);
    const { sentAtMs: secondMs } = flight.entries[0] as Sent;
    expect(flight.settleId('2', secondMs + 7).latencyMs).toBeCloseTo(7);
  });

  it('a time between two frames settles what is before it', () => {
    const flight = flightOf([1, 2, 3]);
    expect(flight.settleTime(250, performance.now())).toEqual({
      timestampUs: 250,
      frame: undefined,
      latencyMs: undefined,
    });
    expect(flight.entries.map(({ frame }) => frame.number)).toEqual([3]);
    expect(flight.unanswered).toBe(2);
  });

  it('without times it goes by the id, and without that by the order', () => {
    const flight = flightOf([1, 2, 3]);
    expect(flight.settleId('2', performance.now()).frame?.number).toBe(2);
    expect(flight.settleId('', performance.now()).frame?.number).toBe(1);
    expect(flight.settleId('2', performance.now())).toMatchObject({ frame: { number: 2 }, latencyMs: undefined });
    expect(flight.settleId('9', performance.now())).toMatchObject({ frame: undefined });
    expect(flight.entries).toHaveLength(1);
    expect(flight.unanswered).toBe(0);
  });

  it('a graph that drops everything stops nothing: time frees a place, and a late answer is known', async () => {
    const flight = flightOf([1, 2], 20);
    await flight.room(signal);
    const { unanswered } = flight;
    expect(unanswered).toBeGreaterThanOrEqual(1);
    const late = flight.settleTime(100, performance.now());
    expect(late.latencyMs).toBeGreaterThan(0);
    expect(late.frame).toBeUndefined();
    expect(flight.unanswered).toBe(unanswered - 1);
  });

  it('waiting for room ends with its signal', async () => {
    const stop = new AbortController();
    const room = flightOf([1]).room(stop.signal);
    stop.abort();
    await room;
  });
});
