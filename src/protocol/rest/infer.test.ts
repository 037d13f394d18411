import { deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDataPlane } from '../../../test/support/fake-data-plane.ts';
import { CODES, MillraceError, REASONS, type Reason } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import { buildRestApp } from './app.ts';
import { chooseEncoding } from './compression.ts';
import { HTTP_STATUS, httpStatus } from './status.ts';

let dataPlane: FakeDataPlane;
let app: FastifyInstance;

beforeEach(async () => {
  dataPlane = new FakeDataPlane();
  dataPlane.add({ name: 'm', inputs: [{ name: 'x', datatype: 'UINT8', shape: [-1] }] });
  app = await buildRestApp(
    { docs: false, maxJsonBytes: 4000, maxBinaryBytes: 20_000 },
    { dataPlane, logger: silentLogger },
  );
});

afterEach(() => app.close());

function infer(
  body: object | string | Buffer,
  headers: Record<string, string> = {},
  url = '/v2/models/m/infer',
): Promise<LightMyRequestResponse> {
  const payload = typeof body === 'string' || body instanceof Buffer ? body : Buffer.from(JSON.stringify(body));
  return app.inject({ method: 'POST', url, headers, payload });
}

const SIMPLE = { id: 'r', inputs: [{ name: 'x', shape: [2], datatype: 'INT32', data: [1, 2] }] };
const ECHO =
  '{"id":"r","model_name":"m","model_version":"1","outputs":[{"name":"x","datatype":"INT32","shape":[2],"data":[1,2]}]}';

/** Two UINT8 tensors, the second behind the JSON. */
function mixed(): { body: Buffer; headers: Record<string, string> } {
  const json = JSON.stringify({
    inputs: [{ name: 'x', shape: [3], datatype: 'UINT8', parameters: { binary_data_size: 3 } }],
    parameters: { binary_data_output: true },
  });
  return {
    body: Buffer.concat([Buffer.from(json), Buffer.of(7, 8, 9)]),
    headers: { 'inference-header-content-length': String(json.length) },
  };
}

function splitReply(reply: LightMyRequestResponse, body = reply.rawPayload): { json: unknown; tail: Buffer } {
  const length = Number(reply.headers['inference-header-content-length']);
  return { json: JSON.parse(body.subarray(0, length).toString()), tail: body.subarray(length) };
}

describe('infer', () => {
  it.each([undefined, 'application/json', 'application/octet-stream', 'text/plain', 'nonsense', ''])(
    'does not look at the content type %s',
    async (contentType) => {
      const reply = await infer(SIMPLE, contentType === undefined ? {} : { 'content-type': contentType });
      expect(reply.body).toBe(ECHO);
      expect(reply.statusCode).toBe(200);
      expect(reply.headers['content-type']).toContain('application/json');
    },
  );

  it('takes names percent-decoded, and the version', async () => {
    dataPlane.add({ name: 'a b/ü' });
    await infer(SIMPLE, {}, `/v2/models/${encodeURIComponent('a b/ü')}/versions/1/infer?x=y`);
    expect(dataPlane.requests).toMatchObject([{ servable: 'a b/ü', version: '1', id: 'r' }]);
    expect(dataPlane.contexts[0]?.interface).toBe('REST');
  });

  it('takes and gives binary tensors', async () => {
    const { body, headers } = mixed();
    const reply = await infer(body, headers);
    expect(reply.headers['content-type']).toBe('application/octet-stream');
    expect(reply.headers['content-length']).toBe(String(reply.rawPayload.length));
    const { json, tail } = splitReply(reply);
    expect(json).toMatchObject({ outputs: [{ name: 'x', datatype: 'UINT8', parameters: { binary_data_size: 3 } }] });
    expect(tail).toEqual(Buffer.of(7, 8, 9));
  });

  it('takes the whole body as the only input when the header length is 0', async () => {
    const reply = await infer(Buffer.of(1, 2, 3, 4), { 'inference-header-content-length': '0' });
    expect(splitReply(reply).tail).toEqual(Buffer.of(1, 2, 3, 4));
  });

  it('answers 404 for an unknown servable and version', async () => {
    expect(await infer(SIMPLE, {}, '/v2/models/none/infer')).toMatchObject({
      statusCode: 404,
      body: `{"error":"Request for unknown model: 'none' is not found","reason":"SERVABLE_NOT_FOUND"}`,
    });
    expect((await infer(SIMPLE, {}, '/v2/models/m/versions/9/infer')).json()).toMatchObject({
      reason: 'VERSION_NOT_FOUND',
    });
  });

  it.each<[string, string | Buffer, Record<string, string>, number, string]>([
    ['malformed JSON', '{"inputs":', {}, 400, 'a value'],
    ['no body', '', {}, 400, 'an object expected at byte 0, got the end'],
    ['bad header length', '{}', { 'inference-header-content-length': 'x' }, 400, 'an integer of 0 or more expected'],
    [
      'header length beyond the body',
      '{}',
      { 'inference-header-content-length': '3' },
      400,
      'should be in range (0, 2), got: 3',
    ],
    ['too large JSON', `"${'x'.repeat(4000)}"`, {}, 413, 'exceeds the maximum allowed size of 4000 bytes'],
    [
      'too large gzip',
      gzipSync('x'.repeat(100_000)),
      { 'content-encoding': 'gzip' },
      413,
      'exceeds the maximum allowed',
    ],
    ['bad gzip', Buffer.from('not gzip'), { 'content-encoding': 'gzip' }, 400, 'cannot be decoded as gzip'],
    ['cut gzip', gzipSync('{"a":1}').subarray(0, 15), { 'content-encoding': 'gzip' }, 400, 'cannot be decoded as gzip'],
    ['bad deflate', Buffer.from('not deflate'), { 'content-encoding': 'deflate' }, 400, 'cannot be decoded as deflate'],
  ])('refuses %s', async (_, body, headers, status, message) => {
    const reply = await infer(body, headers);
    expect(reply.json<{ error: string }>().error).toContain(message);
    expect(reply.statusCode).toBe(status);
    expect(dataPlane.requests).toHaveLength(0);
  });

  it('allows more for binary bodies', async () => {
    const reply = await infer(Buffer.alloc(10_000), { 'inference-header-content-length': '0' });
    expect(reply.statusCode).toBe(200);
    const tooLarge = await infer(Buffer.alloc(20_001), { 'inference-header-content-length': '0' });
    expect(tooLarge.statusCode).toBe(413);
  });

  it('holds the JSON part, and other routes, to the limit for JSON', async () => {
    const body = Buffer.alloc(5000, ' ');
    const part = await infer(body, { 'inference-header-content-length': '4001' });
    expect(part.json()).toMatchObject({
      error: 'the JSON part of the request body exceeds the maximum allowed size of 4000 bytes',
      reason: 'REQUEST_TOO_LARGE',
    });
    for (const url of ['/v2/models/m/generate', '/v2/models/m/generate_stream', '/v2/repository/index']) {
      const reply = await infer(body, { 'inference-header-content-length': '0' }, url);
      expect(reply.statusCode, url).toBe(413);
    }
  });

  it('refuses other encodings and says which it takes', async () => {
    const reply = await infer(SIMPLE, { 'content-encoding': 'br' });
    expect(reply.statusCode).toBe(501);
    expect(reply.headers['accept-encoding']).toBe('gzip, deflate');
    expect(reply.json()).toMatchObject({ reason: 'UNSUPPORTED_ENCODING' });
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const)('reads %s bodies; the header length counts before compression', async (encoding, pack) => {
    expect((await infer(pack(JSON.stringify(SIMPLE)), { 'content-encoding': encoding })).body).toBe(ECHO);
    const { body, headers } = mixed();
    const reply = await infer(pack(body), { ...headers, 'content-encoding': encoding });
    expect(splitReply(reply).tail).toEqual(Buffer.of(7, 8, 9));
  });

  it.each([
    ['gzip', gunzipSync],
    ['deflate', inflateSync],
  ] as const)('compresses replies with %s when asked', async (encoding, unpack) => {
    const reply = await infer(SIMPLE, { 'accept-encoding': encoding });
    expect(reply.headers['content-encoding']).toBe(encoding);
    expect(unpack(reply.rawPayload).toString()).toBe(ECHO);
    const { body, headers } = mixed();
    const binary = await infer(body, { ...headers, 'accept-encoding': encoding });
    expect(splitReply(binary, unpack(binary.rawPayload)).tail).toEqual(Buffer.of(7, 8, 9));
  });

  it('does not compress errors and metadata', async () => {
    const headers = { 'accept-encoding': 'gzip' };
    expect((await infer('{', headers)).headers).not.toHaveProperty('content-encoding');
    expect((await app.inject({ url: '/v2', headers })).headers).not.toHaveProperty('content-encoding');
  });

  it('says to ask for binary where JSON cannot hold an output', async () => {
    dataPlane.onInfer = async (request) => ({
      ...request,
      version: '1',
      outputs: [tensorOf('y', 'BF16', [1], Uint16Array.of(1))],
    });
    const reply = await infer(SIMPLE);
    expect(reply.statusCode).toBe(400);
    expect(reply.json<{ error: string }>().error).toContain('ask for it in binary form');
  });
});

describe('chooseEncoding', () => {
  it.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['gzip, deflate, br', 'gzip'],
    ['deflate, gzip', 'deflate'],
    ['br, *', 'identity'],
    ['gzip;q=0.5, deflate;q=0.8', 'deflate'],
    ['gzip, identity', 'identity'],
    ['identity;q=0.5, gzip', 'gzip'],
    ['gzip;q=0', 'identity'],
    ['GZIP', 'gzip'],
    ['gzip;q=x', 'identity'],
  ])('of %j is %s', (header, expected) => expect(chooseEncoding(header)).toBe(expected));
});

describe('statuses', () => {
  it('sends each reason of the catalogue with its status and text', async () => {
    for (const reason of Object.keys(REASONS) as Reason[]) {
      const error = new MillraceError(reason, `about ${reason}`);
      dataPlane.onInfer = () => Promise.reject(error);
      const reply = await infer(SIMPLE);
      expect(reply.statusCode).toBe(httpStatus(error));
      expect(reply.json()).toEqual({ error: `about ${reason}`, reason });
    }
  });

  it('has one for every code', () => {
    expect(Object.keys(HTTP_STATUS).sort()).toEqual(
      Object.keys(CODES)
        .filter((code) => code !== 'OK')
        .sort(),
    );
    expect(httpStatus(new MillraceError('REQUEST_TOO_LARGE', ''))).toBe(413);
    expect(httpStatus(new MillraceError('LIMIT_REACHED', ''))).toBe(429);
  });
});
