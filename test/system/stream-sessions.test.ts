import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Parameters } from '../../src/tensor/parameters.ts';
import { tensorOf, typedData, type Tensor } from '../../src/tensor/tensor.ts';
import { ROOT } from '../support/paths.ts';
import { RawStream } from '../support/raw-stream.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const OK = 0;
const CANCELLED = 1;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;
/** A wait of the graph "wait" that no test sees the end of, in milliseconds. */
const FOR_EVER = 1e6;

const oneNode = (calculator: string, more = ''): string => `
  input_stream: "in" output_stream: "out"
  node { calculator: "${calculator}" input_stream: "in" output_stream: "out" ${more} }`;
const WAIT = oneNode(
  'ScriptCalculator',
  'node_options { [type.googleapis.com/millrace.ScriptCalculatorOptions] { handler_path: "wait.js" } }',
)
  .replaceAll(': "in"', ': "IN:in"')
  .replaceAll(': "out"', ': "OUT:out"');
const GATE = `input_side_packet: "open" ${oneNode('GateCalculator', 'input_side_packet: "ALLOW:open"')}`;
const JOIN = `
  input_stream: "a" input_stream: "b" output_stream: "out" output_stream: "other"
  node { calculator: "PassThroughCalculator" input_stream: "a" input_stream: "b" output_stream: "out" output_stream: "other" }`;

const GRAPHS: Readonly<Record<string, readonly [text: string, keys?: object]>> = {
  sum: [oneNode('CounterCalculator')],
  pass: [oneNode('PassThroughCalculator')],
  wait: [WAIT],
  gate: [GATE],
  idle: [oneNode('PassThroughCalculator'), { session_idle_timeout_ms: 50 }],
  short: [oneNode('PassThroughCalculator'), { session_max_duration_ms: 50 }],
  few: [WAIT, { max_in_flight_requests: 2 }],
  join: [JOIN, { max_queued_packets: 3 }],
  newest: [WAIT, { input_policy: { in: 'newest' } }],
};

let folder: ScratchFolder;
let server: TestServer;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  const mediapipe_config_list = await Promise.all(
    Object.entries(GRAPHS).map(async ([name, [text, keys]]) => {
      await folder.put(`${name}/graph.pbtxt`, text);
      await folder.copy(join(ROOT, 'test/fixtures/scripts/wait.js'), `${name}/wait.js`);
      return { name, isolation: 'shared', ...keys };
    }),
  );
  const config = await folder.put('config.json', { mediapipe_config_list });
  server = await startServer({ config, flags: ['--hosts', '2'] });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const open = (graph: string, deadlineMs?: number): RawStream =>
  new RawStream(server.grpcAddress, graph, deadlineMs === undefined ? {} : { deadlineMs });
const number = (value: number, name = 'in'): Tensor[] => [tensorOf(name, 'FP32', [1], Float32Array.of(value))];
const at = (timestamp: bigint): { parameters: Parameters } => ({ parameters: { OVMS_MP_TIMESTAMP: timestamp } });
const answers = ({ responses }: RawStream): number[] =>
  responses.map(({ outputs }) => Number(typedData(outputs[0] as Tensor)[0]));

async function metric(name: string, graph: string): Promise<number> {
  const text = await (await fetch(`${server.restUrl}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{name="${graph}"\\} (.*)$`, 'm').exec(text)?.[1]);
}

/** Values that calls of the graph waited for when they were aborted. */
async function aborted(graph: string): Promise<string[]> {
  const text = await readFile(join(folder.path, graph, 'aborted'), 'utf8').catch(() => '');
  return text.split('\n').slice(0, -1);
}

describe('a stream on a graph', () => {
  it('ends at once when the graph fails, with the reason and what it was, also when the client sends nothing more', async () => {
    const stream = open('wait');
    stream.send(number(0));
    await stream.received(1);
    stream.send(number(-7));
    expect(await stream.ended).toMatchObject({
      code: INVALID_ARGUMENT,
      text: expect.stringContaining('-7 is below 0') as string,
      trailers: {
        'millrace-reason': 'GRAPH_FAILED',
        'millrace-packets-in': '2',
        'millrace-packets-out': '1',
        'millrace-packets-dropped': '0',
        'millrace-ms': expect.stringMatching(/^\d+$/) as string,
      },
    });
  });

  it('answers with the ids and timestamps of the requests, refuses a bad one whole, and sums up at its end', async () => {
    const stream = open('sum');
    stream.send(number(1), { id: 'a', ...at(5n) });
    stream.send([...number(2), ...number(2, 'nothing')], { id: 'bad' });
    stream.send(number(2, 'inn'), { id: 'mistyped' });
    stream.send(number(3), { id: 'b' });
    expect(await stream.end()).toBe(0);
    expect(stream.responses.map(({ id, parameters }) => [id, parameters])).toEqual([
      ['a', { OVMS_MP_TIMESTAMP: 5n }],
      ['b', { OVMS_MP_TIMESTAMP: 6n }],
    ]);
    expect(answers(stream)).toEqual([1, 4]);
    expect(stream.errors).toEqual([
      'Unexpected input - nothing is unexpected; partial deserialization of subsequent requests',
      'Unexpected input - inn is unexpected; partial deserialization of subsequent requests; did you mean "in"?',
    ]);
    expect((await stream.ended).trailers).toMatchObject({ 'millrace-packets-in': '2', 'millrace-packets-out': '2' });
  });

  it('that is cancelled, or whose deadline passes, aborts the call that runs', async () => {
    const cancelled = open('wait');
    cancelled.send(number(0));
    cancelled.send(number(FOR_EVER + 1));
    await cancelled.received(1);
    cancelled.cancel();
    const late = open('wait', 2000);
    late.send(number(FOR_EVER + 2));
    expect([(await cancelled.ended).code, (await late.ended).code]).toEqual([CANCELLED, DEADLINE_EXCEEDED]);
    await expect.poll(() => aborted('wait')).toEqual([String(FOR_EVER + 1), String(FOR_EVER + 2)]);
    await expect.poll(() => metric('ovms_current_graphs', 'wait')).toBe(0);
  });

  it('has the side packets of its first request; one that would change them is refused', async () => {
    const stream = open('gate');
    stream.send(number(1), { parameters: { open: true } });
    stream.send(number(2), { parameters: { open: false } });
    stream.send(number(3), { parameters: { open: true, other: 'x' } });
    expect(await stream.end()).toBe(0);
    expect(answers(stream)).toEqual([1, 3]);
    expect(stream.errors).toEqual(['side packet "open" is fixed by the first request: true given there, false here']);
  });
});

describe('limits', () => {
  it.each([
    ['idle', 'the session was idle for 50 ms, which is the limit (session_idle_timeout_ms)'],
    ['short', 'the session was open for 50 ms, which is the limit (session_max_duration_ms)'],
  ])('on time end the stream: %s', async (graph, text) => {
    const stream = open(graph);
    stream.send(number(1));
    const end = await stream.ended;
    expect(end).toMatchObject({
      code: DEADLINE_EXCEEDED,
      text,
      trailers: {
        'millrace-reason': 'LIMIT_REACHED',
        'millrace-packets-in': expect.stringMatching(/^[01]$/) as string,
        'millrace-packets-out': String(stream.responses.length),
        'millrace-packets-dropped': '0',
      },
    });
    expect(Number(end.trailers['millrace-ms'])).toBeGreaterThanOrEqual(50);
  });

  it('on requests in flight refuse one more, and the stream goes on', async () => {
    const stream = open('few');
    for (const wait of [300, 0, 0]) stream.send(number(wait));
    await stream.received(1);
    expect(stream.errors).toEqual([
      '2 requests of the stream are in flight, which is the limit (max_in_flight_requests)',
    ]);
    await stream.received(3);
    stream.send(number(1));
    expect(await stream.end()).toBe(0);
    expect(answers(stream)).toEqual([300, 0, 1]);
  });

  it('on queued packets refuse what would queue more; the queues are seen in the metrics', async () => {
    const stream = open('join');
    for (const time of [1n, 2n, 3n, 4n]) stream.send(number(Number(time), 'a'), at(time));
    await stream.received(1);
    expect(stream.errors).toEqual(['3 packets of the stream are queued, which is the limit (max_queued_packets)']);
    await expect.poll(() => metric('millrace_graph_queued_packets', 'join')).toBe(3);
    expect(await metric('millrace_graph_queued_bytes', 'join')).toBe(12);
    stream.send(number(9, 'b'), at(3n));
    await stream.received(5);
    await expect.poll(() => metric('millrace_graph_queued_packets', 'join')).toBe(0);
    expect(await stream.end()).toBe(0);
  });

  it('a full graph is not read on, so that its sender waits', async () => {
    const stream = open('wait');
    const big = [tensorOf('in', 'FP32', [16_384], new Float32Array(16_384).fill(FOR_EVER))];
    for (let i = 0; i < 1000; i++) stream.send(big);
    await expect.poll(() => metric('millrace_graph_queued_packets', 'wait')).toBeGreaterThanOrEqual(100);
    // What the queue takes and what may be under way to it, of 1000 that were sent.
    expect(await metric('millrace_graph_queued_packets', 'wait')).toBeLessThanOrEqual(100 + 64);
    expect(await metric('millrace_graph_queued_bytes', 'wait')).toBeLessThanOrEqual((100 + 64) * 66_000);
    stream.cancel();
    await stream.ended;
    await expect.poll(() => metric('millrace_graph_queued_packets', 'wait')).toBe(0);
  });
});

describe('an input of which the newest packet wins', () => {
  it('gives the first and the last, and every drop is counted and reported', async () => {
    const stream = open('newest');
    stream.send(number(200), { id: 'first' });
    for (let i = 0; i < 50; i++) stream.send(number(0), { id: String(i) });
    stream.send(number(1), { id: 'last' });
    expect(await stream.end()).toBe(0);
    const { trailers } = await stream.ended;
    const ids = stream.responses.map(({ id }) => id);
    expect([ids[0], ids.at(-1), stream.errors]).toEqual(['first', 'last', []]);
    const dropped = 52 - ids.length;
    expect(dropped).toBeGreaterThan(0);
    const reported = stream.responses.map(({ parameters }) => Number(parameters?.['millrace_dropped'] ?? 0n));
    expect(reported.reduce((sum, count) => sum + count)).toBe(dropped);
    expect(trailers).toMatchObject({
      'millrace-packets-in': String(ids.length),
      'millrace-packets-out': String(ids.length),
      'millrace-packets-dropped': String(dropped),
    });
    expect(await metric('millrace_graph_dropped_packets', 'newest')).toBe(dropped);
  });
});

describe('two hundred streams at once', () => {
  /** Sends the values of a session and says what is wrong with what came back; values are no other session's. */
  const KINDS: ((value: (k: number) => number) => Promise<void>)[] = [
    async (value) => {
      const stream = open('sum');
      const sums = [value(0), value(0) + 1, value(0) + 3];
      for (const term of [value(0), 1, 2]) stream.send(number(term));
      expect(await stream.end()).toBe(0);
      expect(answers(stream)).toEqual(sums);
    },
    async (value) => {
      const stream = open('pass');
      for (let k = 0; k < 20; k++) stream.send(number(value(k), k % 5 === 4 ? 'nothing' : 'in'));
      expect(await stream.end()).toBe(0);
      expect(answers(stream)).toEqual([...Array(20).keys()].filter((k) => k % 5 !== 4).map(value));
      expect(stream.errors).toHaveLength(4);
    },
    async (value) => {
      const stream = open('pass');
      stream.send(number(value(0)), at(3n));
      await stream.received(1);
      stream.send(number(value(1)), at(2n));
      expect(await stream.ended).toMatchObject({ code: INVALID_ARGUMENT });
      expect(answers(stream)).toEqual([value(0)]);
    },
    async (value) => {
      const stream = open('wait');
      stream.send(number(0), { id: String(value(0)) });
      await stream.received(1);
      stream.send(number(FOR_EVER));
      stream.cancel();
      expect(await stream.ended).toMatchObject({ code: CANCELLED });
      expect(stream.responses.map(({ id }) => id)).toEqual([String(value(0))]);
    },
    async (value) => {
      const stream = open('wait');
      stream.send(number(5), { id: String(value(0)) });
      stream.send(number(-value(1)));
      expect(await stream.ended).toMatchObject({
        code: INVALID_ARGUMENT,
        text: expect.stringContaining(`-${value(1)} is below 0`) as string,
      });
      expect(stream.responses.map(({ id }) => id)).toEqual([String(value(0))]);
    },
  ];

  it('each get exactly their own outputs, errors and ends', async () => {
    await Promise.all(Array.from({ length: 200 }, async (_, i) => KINDS[i % KINDS.length]?.((k) => (i + 1) * 100 + k)));
    for (const graph of ['sum', 'pass', 'wait']) {
      await expect.poll(() => metric('ovms_current_graphs', graph)).toBe(0);
    }
  });

  it('go on when a host is killed, but for its own, which hear why and what they were', async () => {
    const [victim] = server.children();
    const streams = Array.from({ length: 200 }, () => open('sum'));
    const values = (i: number, from: number): number[] => [1, 2, 3].map((k) => (i + 1) * 100 + from + k);
    for (const [i, stream] of streams.entries()) for (const value of values(i, 0)) stream.send(number(value));
    await Promise.all(streams.map((stream) => stream.received(3)));
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    const ends = await Promise.all(
      streams.map(async (stream, i) => {
        if (i % 5 === 0) stream.cancel();
        if (i % 5 === 1) stream.send(number(0, 'nothing'));
        for (const value of values(i, 3)) stream.send(number(value));
        await stream.end();
        return stream.ended;
      }),
    );
    const seen = { kept: 0, lost: 0, cancelled: 0 };
    for (const [i, { code, text, trailers }] of ends.entries()) {
      const stream = streams[i] as RawStream;
      let sum = 0;
      const sums = [...values(i, 0), ...values(i, 3)].map((value) => (sum += value));
      if (code === OK) {
        seen.kept++;
        expect(answers(stream)).toEqual(sums);
        expect(stream.errors).toHaveLength(i % 5 === 1 ? 1 : 0);
      } else if (code === UNAVAILABLE) {
        seen.lost++;
        expect(text).toContain('its host process ended unexpectedly');
        expect(answers(stream)).toEqual(sums.slice(0, stream.responses.length));
        expect(trailers).toMatchObject({
          'millrace-reason': 'HOST_LOST',
          'millrace-packets-in': expect.stringMatching(/^[3-6]$/) as string,
          'millrace-packets-out': String(stream.responses.length),
          'millrace-packets-dropped': '0',
          'millrace-ms': expect.stringMatching(/^\d+$/) as string,
        });
      } else {
        seen.cancelled++;
        expect([code, i % 5]).toEqual([CANCELLED, 0]);
        expect(answers(stream)).toEqual(sums.slice(0, stream.responses.length));
      }
    }
    expect([seen.kept > 0, seen.lost > 0]).toEqual([true, true]);
    expect(seen.kept + seen.lost + seen.cancelled).toBe(200);
    await expect.poll(() => metric('ovms_current_graphs', 'sum')).toBe(0);
    await expect.poll(() => server.children().length).toBe(2);
    const again = open('sum');
    again.send(number(7));
    expect([await again.end(), answers(again)]).toEqual([OK, [7]]);
  });
});
