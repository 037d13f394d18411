/** The three limitations of MLServer's streaming page, gone: workers, gzip and metrics, all on, while streams flow. */
import { request } from 'node:http';
import { createGunzip } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODES } from '../../src/base/errors.ts';
import { RawStream } from '../support/raw-stream.ts';
import { promptTensor, StreamerServer, VARIANTS, wordsOf } from '../support/streamer.ts';
import { until } from '../support/until.ts';

describe.each(VARIANTS)('a model in %s with workers, gzip and metrics', (variant) => {
  let streamer: StreamerServer;

  beforeAll(async () => {
    streamer = await StreamerServer.start(variant, { parallel_workers: 2, gzip_enabled: true });
  });
  afterAll(() => streamer[Symbol.asyncDispose]());

  const open = (): RawStream => new RawStream(streamer.server.mlserverAddress, 'streamer', { dialect: 'mlserver' });

  async function pidOf(stream: RawStream): Promise<number> {
    stream.send([promptTensor('pid')]);
    await stream.received(stream.responses.length + 1);
    return Number(wordsOf(stream).at(-1));
  }

  it('streams are spread over the workers, and each takes all its requests', async () => {
    const streams = [open(), open(), open(), open()];
    const pids: number[] = [];
    for (const stream of streams) pids.push(await pidOf(stream));
    expect(new Set(pids).size).toBe(2);
    for (const pid of pids) expect(pids.filter((other) => other === pid)).toHaveLength(2);
    for (const [at, stream] of streams.entries()) {
      expect(await pidOf(stream)).toBe(pids[at]);
      stream.send([promptTensor('words a b c')]);
      expect(await stream.end()).toBe(CODES.OK);
      expect(wordsOf(stream).slice(-3)).toEqual(['a', 'b', 'c']);
    }
  });

  it('a worker that dies ends its own streams only, and is replaced', async () => {
    const streams = [open(), open()];
    const pids = [await pidOf(streams[0] as RawStream), await pidOf(streams[1] as RawStream)];
    expect(pids[0]).not.toBe(pids[1]);
    process.kill(pids[0] as number, 'SIGKILL');
    expect((await streams[0]?.ended)?.code).toBe(CODES.UNAVAILABLE);
    streams[1]?.send([promptTensor('words still here')]);
    expect(await streams[1]?.end()).toBe(CODES.OK);
    expect(wordsOf(streams[1] as RawStream).slice(1)).toEqual(['still', 'here']);
    await until(async () => {
      const again = [open(), open()];
      const found = await Promise.all(
        again.map(async (stream) => {
          stream.send([promptTensor('pid')]);
          await stream.end();
          return wordsOf(stream)[0];
        }),
      );
      return new Set(found.filter((pid) => pid !== undefined)).size === 2;
    });
  });

  it('each event leaves the compressor at once', async () => {
    const { restUrl } = streamer.server;
    const url = new URL(`${restUrl}/v2/models/streamer/generate_stream`);
    const body = { inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1], data: ['wait'] }] };
    let text = '';
    const ended = new Promise<string | undefined>((resolve, reject) => {
      const post = request(url, { method: 'POST', headers: { 'accept-encoding': 'gzip' } }, (answer) => {
        answer
          .pipe(createGunzip())
          .setEncoding('utf8')
          .on('error', reject)
          .on('data', (part: string) => (text += part))
          .on('end', () => resolve(answer.headers['content-encoding']));
      });
      post.on('error', reject).end(JSON.stringify(body));
    });
    await until(() => text.endsWith('\n\n'));
    expect(text).toContain('"data":["first"]');
    // Only now may the model go on: nothing of its second response can have pushed the first one out.
    await streamer.go();
    expect(await ended).toBe('gzip');
    expect(text.match(/"data":\["\w+"\]/g)).toEqual(['"data":["first"]', '"data":["second"]']);
  });

  it('a client that does not ask for gzip gets none', async () => {
    const answer = await streamer.post('words a', { headers: { 'accept-encoding': 'identity' } });
    expect(answer.headers.get('content-encoding')).toBeNull();
    expect(await answer.text()).toContain('"data":["a"]');
  });

  it('streams are counted while they flow, on both ports', async () => {
    const before = await metrics(streamer.server.metricsUrl);
    const stream = open();
    stream.send([promptTensor('words a b c')]);
    await stream.received(3);
    const during = await metrics(streamer.server.metricsUrl);
    const sent = 'grpc_server_msg_sent_total';
    expect(streamSeries(during, sent) - streamSeries(before, sent)).toBe(3);
    expect(await stream.end()).toBe(CODES.OK);
    await (await streamer.post('words a b')).text();
    const other = await metrics(`${streamer.server.restUrl}/metrics`);
    expect(streamSeries(other, sent)).toBe(streamSeries(during, sent));
    expect(other).toMatch(/^rest_server_requests_total\{.*generate_stream.*\} \d/m);
    expect(other).toMatch(/^model_infer_request_success_total\{[^}]*model="streamer"[^}]*\} \d/m);
  });
});

async function metrics(url: string): Promise<string> {
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  return answer.text();
}

function streamSeries(text: string, name: string): number {
  return Number(new RegExp(`^${name}\\{[^}]*grpc_method="ModelStreamInfer"[^}]*\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
}
