/**
 * What MLServer's own tests ask of its streams (its sheet, §13), and what those leave out, with models in both languages.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODES } from '../../src/base/errors.ts';
import { RawStream } from '../support/raw-stream.ts';
import { promptTensor, StreamerServer, VARIANTS, wordsOf } from '../support/streamer.ts';
import { until } from '../support/until.ts';

const PROMPT = 'words What is the capital of France?';
const WORDS = ['What', 'is', 'the', 'capital', 'of', 'France?'];

interface Event {
  readonly outputs: readonly { readonly data: readonly string[] }[];
  readonly error?: string;
}

/** The events of a whole event stream. */
function eventsOf(text: string): Event[] {
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => JSON.parse(event.replace(/^data: /, '')) as Event);
}

describe.each(VARIANTS)('streams of a model in %s', (variant) => {
  let streamer: StreamerServer;

  beforeAll(async () => {
    streamer = await StreamerServer.start(variant);
  });
  afterAll(() => streamer[Symbol.asyncDispose]());

  it('a model with only predict gives a stream of one response', async () => {
    const stream = streamer.ask('a b', { model: 'one-answer' });
    expect(await stream.ended).toMatchObject({ code: CODES.OK });
    expect(wordsOf(stream)).toEqual(['A B']);
    const events = eventsOf(await (await streamer.post('a b', { model: 'one-answer' })).text());
    expect(events.map(({ outputs }) => outputs[0]?.data)).toEqual([['A B']]);
  });

  it('each response over gRPC has one output, a word', async () => {
    const stream = streamer.ask(PROMPT);
    expect(await stream.ended).toMatchObject({ code: CODES.OK });
    expect(stream.responses.map(({ outputs }) => outputs.length)).toEqual(WORDS.map(() => 1));
    expect(wordsOf(stream)).toEqual(WORDS);
    expect(stream.responses[0]).toMatchObject({ servable: 'streamer' });
  });

  it.each(['generate_stream', 'infer_stream'])('each event of %s is a response with one output', async (path) => {
    const answer = await streamer.post(PROMPT, { path });
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const text = await answer.text();
    expect(eventsOf(text).map(({ outputs }) => outputs.map(({ data }) => data))).toEqual(WORDS.map((word) => [[word]]));
    // Compact JSON on one line after "data: ", nothing that is not set.
    for (const event of text.split('\n\n').slice(0, -1)) {
      expect(event).toMatch(/^data: \{"model_name":"streamer",[^\n]*"data":\["[^"]+"\]\}\]\}$/);
      expect(event).toBe(`data: ${JSON.stringify(JSON.parse(event.slice(6)))}`);
      expect(event).not.toContain('null');
    }
  });

  it('a model that is not there is told as MLServer tells it', async () => {
    const stream = new RawStream(streamer.server.mlserverAddress, 'my-model', {
      dialect: 'mlserver',
      version: 'v1.2.3',
    });
    stream.send([promptTensor('words')]);
    expect(await stream.ended).toMatchObject({
      code: CODES.NOT_FOUND,
      text: 'Model my-model with version v1.2.3 not found',
    });
    expect((await streamer.post('words', { model: 'my-model' })).status).toBe(404);
  });

  it('an empty stream ends well', async () => {
    const stream = streamer.ask('empty');
    expect(await stream.ended).toMatchObject({ code: CODES.OK });
    expect(stream.responses).toEqual([]);
    const answer = await streamer.post('empty');
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  });

  it('requests of one stream are answered as they come, in one call of the model', async () => {
    const stream = new RawStream(streamer.server.mlserverAddress, 'streamer', { dialect: 'mlserver' });
    for (const [at, prompt] of ['words a b', 'words c', 'words d e'].entries()) {
      const before = wordsOf(stream).length;
      stream.send([promptTensor(prompt)]);
      await stream.received(before + prompt.split(' ').length - 1);
      expect(wordsOf(stream)).toEqual(['a', 'b', 'c', 'd', 'e'].slice(0, [2, 3, 5][at]));
    }
    expect(await stream.end()).toBe(CODES.OK);
  });

  it('a fault before the first response is an error with its status', async () => {
    const stream = streamer.ask('fail 0');
    expect(await stream.ended).toMatchObject({
      code: CODES.INTERNAL,
      text: expect.stringContaining('out of words') as string,
    });
    const answer = await streamer.post('fail 0');
    expect(answer.status).toBe(500);
    expect(await answer.text()).toContain('out of words');
    expect((await streamer.post('refuse')).status).toBe(400);
    expect(await streamer.ask('refuse').ended).toMatchObject({ code: CODES.INVALID_ARGUMENT, text: 'not that one' });
  });

  it('a fault after the fifth response is told after what was sent', async () => {
    const stream = streamer.ask('fail 5');
    expect(await stream.ended).toMatchObject({
      code: CODES.INTERNAL,
      text: expect.stringContaining('out of words') as string,
    });
    expect(wordsOf(stream)).toEqual(['0', '1', '2', '3', '4']);
    const answer = await streamer.post('fail 5');
    expect(answer.status).toBe(200);
    const events = eventsOf(await answer.text());
    expect(events.slice(0, 5).map(({ outputs }) => outputs[0]?.data[0])).toEqual(['0', '1', '2', '3', '4']);
    expect(events.at(-1)).toMatchObject({ error: expect.stringContaining('out of words') as string });
    expect(events).toHaveLength(6);
  });

  it('what is no response fails the stream, saying so', async () => {
    const { code, text } = await streamer.ask('nonsense').ended;
    expect([code, text]).toEqual([CODES.INTERNAL, expect.stringMatching(/response|outputs/i)]);
    expect((await streamer.post('nonsense')).status).toBe(500);
  });

  it('a client that leaves ends its generator, over gRPC and REST', async () => {
    const stream = streamer.ask('forever');
    await stream.received(3);
    stream.cancel();
    expect((await stream.ended).code).toBe(CODES.CANCELLED);
    await until(async () => (await streamer.log()).includes('forever ends'));
    const controller = new AbortController();
    const answer = await streamer.post('wait', { signal: controller.signal });
    await answer.body?.getReader().read();
    controller.abort();
    await until(async () => (await streamer.log()).includes('wait ends'));
  });

  it('a client that does not read stops the generator', async () => {
    // Compressed, thousands of such events fit into a socket's buffers.
    const answer = await streamer.post('forever 10000', { headers: { 'accept-encoding': 'identity' } });
    const reader = answer.body?.getReader();
    await reader?.read();
    // In the time that these take, a generator that nothing stops makes gigabytes.
    for (let at = 0; at < 100; at++) await streamer.ask(PROMPT).ended;
    await reader?.cancel();
    const ends = /forever ends (\d{2,})/;
    await until(async () => ends.test(await streamer.log()));
    const made = Number(ends.exec(await streamer.log())?.[1]);
    expect(made * 10_000).toBeLessThan(64 * 2 ** 20);
  });
});

it('a thousand streams at once all bring every word, in order', async () => {
  await using streamer = await StreamerServer.start('TypeScript', { parallel_workers: 2 });
  const streams = Array.from({ length: 1000 }, (_, at) =>
    streamer.ask(`words ${Array.from({ length: 20 }, (_word, word) => `${at}-${word}`).join(' ')}`),
  );
  const ends = await Promise.all(streams.map((stream) => stream.ended));
  expect(ends.filter(({ code }) => code !== CODES.OK)).toEqual([]);
  for (const [at, stream] of streams.entries()) {
    expect(wordsOf(stream)).toEqual(Array.from({ length: 20 }, (_, word) => `${at}-${word}`));
  }
});

it('the server ends within its grace although a stream never would', async () => {
  await using streamer = await StreamerServer.start('TypeScript', {}, {}, { flags: ['--shutdown_grace_s', '0.5'] });
  const stream = streamer.ask('forever');
  const answer = await streamer.post('wait');
  await stream.received(1);
  await streamer.server.stop();
  expect((await stream.ended).code).toBe(CODES.UNAVAILABLE);
  await answer.text().catch(() => '');
  expect(await streamer.log()).toMatch(/forever ends[^]*wait ends|wait ends[^]*forever ends/);
});

it('ten streams are counted, each message of them', async () => {
  await using streamer = await StreamerServer.start('TypeScript');
  await Promise.all(Array.from({ length: 10 }, async () => streamer.ask(PROMPT).ended));
  const text = await (await fetch(streamer.server.metricsUrl)).text();
  const series = (name: string): number =>
    Number(new RegExp(`^${name}\\{[^}]*grpc_method="ModelStreamInfer"[^}]*\\} (\\d+)`, 'm').exec(text)?.[1]);
  expect(series('grpc_server_msg_received_total')).toBe(10);
  expect(series('grpc_server_msg_sent_total')).toBe(10 * WORDS.length);
  expect(series('grpc_server_started_total')).toBe(10);
});

it('a version is found by its name', async () => {
  const model = { parameters: { version: 'v1.2.3', extra: { log: '/dev/null' } } };
  await using streamer = await StreamerServer.start('TypeScript', {}, model);
  const streams = [streamer.ask(PROMPT), streamer.ask(PROMPT, { version: 'v1.2.3' })];
  for (const stream of streams) {
    expect(await stream.ended).toMatchObject({ code: CODES.OK });
    expect(wordsOf(stream)).toEqual(WORDS);
  }
  const answer = await streamer.post(PROMPT, { path: 'versions/v1.2.3/infer_stream' });
  expect(eventsOf(await answer.text())).toHaveLength(WORDS.length);
});

it('a model with batching streams, and the log says that streams are not batched', async () => {
  await using streamer = await StreamerServer.start(
    'TypeScript',
    {},
    { max_batch_size: 16, max_batch_time: 0.005, parameters: { extra: { log: '/dev/null' } } },
  );
  const stream = streamer.ask(PROMPT);
  expect(await stream.ended).toMatchObject({ code: CODES.OK });
  expect(wordsOf(stream)).toEqual(WORDS);
  expect(streamer.server.logs()).toContain('not supported for inference streaming');
});
