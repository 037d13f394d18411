import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDataPlane } from '../../../test/support/fake-data-plane.ts';
import { MillraceError } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import { buildRestApp } from './app.ts';

let dataPlane: FakeDataPlane;
let app: FastifyInstance;

beforeEach(async () => {
  dataPlane = new FakeDataPlane();
  const inputs = [{ name: 'text_input', datatype: 'BYTES' as const, shape: [1] }];
  dataPlane.add({ name: 'plain', inputs });
  dataPlane.add({ name: 'many', inputs, decoupled: true });
  app = await buildRestApp({ docs: false }, { dataPlane, logger: silentLogger });
});

afterEach(() => app.close());

function post(url: string, body: unknown): Promise<LightMyRequestResponse> {
  return app.inject({ method: 'POST', url, payload: JSON.stringify(body) });
}

const generate = (model: string, body: unknown = { text_input: 'hi' }): Promise<LightMyRequestResponse> =>
  post(`/v2/models/${model}/generate`, body);
const stream = (model: string, body: unknown = { text_input: 'hi' }): Promise<LightMyRequestResponse> =>
  post(`/v2/models/${model}/generate_stream`, body);

const FAILURE = new MillraceError('GRAPH_FAILED', 'node n: boom');
const FLAT = { model_name: 'many', model_version: '1', text_input: 'hi' };
const V2 = { inputs: [{ name: 'text_input', datatype: 'BYTES', shape: [1], data: ['hi'] }] };

/** A script that answers `responses` times, then ends, with `error` if given. */
function answering(responses: number, error?: MillraceError): typeof dataPlane.onSession {
  return (session) => {
    for (let i = 0; i < responses; i++) session.echo();
    session.sink.onEnd(error);
  };
}

describe('generate', () => {
  it.each(['plain', 'many'])('answers with one flat object from servable "%s"', async (model) => {
    const reply = await generate(model, { text_input: 'hi', id: 'r', delay_s: 0.5, parameters: { n: 1 } });
    expect(reply.json()).toEqual({ ...FLAT, model_name: model, id: 'r' });
    expect(reply.headers['content-type']).toContain('application/json');
    const request = model === 'plain' ? dataPlane.requests[0] : dataPlane.sessions[0]?.pushed[0];
    expect({ ...request?.parameters }).toEqual({ delay_s: 0.5, n: 1n });
    expect(dataPlane.sessions).toHaveLength(model === 'plain' ? 0 : 1);
  });

  it('answers a V2 request in V2 form', async () => {
    expect((await generate('plain', V2)).json()).toMatchObject({ model_name: 'plain', outputs: [{ data: ['hi'] }] });
  });

  it.each([0, 2, 5])('refuses %i responses', async (count) => {
    dataPlane.onSession = answering(count);
    const reply = await generate('many');
    expect(reply.statusCode).toBe(400);
    expect(reply.json<{ error: string }>().error).toContain('generate expects model to produce exactly 1 response');
    expect(reply.json()).toMatchObject({ reason: 'NOT_ONE_RESPONSE' });
  });

  it('ends a session that answers twice', async () => {
    dataPlane.onSession = (session) => {
      session.echo();
      session.echo();
    };
    expect((await generate('many')).statusCode).toBe(400);
    expect(dataPlane.sessions[0]?.aborted).toBeDefined();
  });

  it('answers a failure, also after a response, and a refused request', async () => {
    dataPlane.onSession = answering(1, FAILURE);
    expect((await generate('many')).json()).toEqual({ error: 'node n: boom', reason: 'GRAPH_FAILED' });
    dataPlane.onSession = (session) => session.sink.onRequestError('', new MillraceError('MISSING_INPUT', 'no input'));
    expect((await generate('many')).json()).toEqual({ error: 'no input', reason: 'MISSING_INPUT' });
  });
});

describe('generate_stream', () => {
  it('writes one event per response', async () => {
    dataPlane.onSession = answering(3);
    const reply = await stream('many');
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(reply.headers['cache-control']).toBe('no-cache');
    expect(reply.body).toBe(`data: ${JSON.stringify(FLAT)}\n\n`.repeat(3));
    expect(dataPlane.sessions[0]).toMatchObject({ isHalfClosed: true, aborted: undefined });
    expect(dataPlane.sessions[0]?.pushed).toHaveLength(1);
  });

  it('works for servables that are not decoupled', async () => {
    expect((await stream('plain')).body).toBe(`data: ${JSON.stringify({ ...FLAT, model_name: 'plain' })}\n\n`);
  });

  it.each(['generate_stream', 'infer_stream'])('answers V2 requests to %s with V2 events', async (verb) => {
    const { body } = await post(`/v2/models/many/versions/1/${verb}`, V2);
    expect(body).toMatch(/^data: \{"model_name":"many",.*"data":\["hi"\]\}\]\}\n\n$/);
  });

  it('answers nothing with 200 and an empty body', async () => {
    dataPlane.onSession = answering(0);
    const reply = await stream('many');
    expect(reply).toMatchObject({ statusCode: 200, body: '' });
    expect(reply.headers['content-type']).toContain('text/event-stream');
  });

  it('answers an error before any response with its status', async () => {
    dataPlane.onSession = answering(0, FAILURE);
    const reply = await stream('many');
    expect(reply.statusCode).toBe(400);
    expect(reply.headers['content-type']).toContain('application/json');
    expect(reply.json()).toEqual({ error: 'node n: boom', reason: 'GRAPH_FAILED' });
  });

  it('answers a later error as an event', async () => {
    dataPlane.onSession = answering(1, FAILURE);
    const reply = await stream('many');
    expect(reply.statusCode).toBe(200);
    expect(reply.body).toBe(
      `data: ${JSON.stringify(FLAT)}\n\ndata: {"error":"node n: boom","reason":"GRAPH_FAILED"}\n\n`,
    );
  });

  it('answers a refused request with its status, once, and aborts the session, which would go on', async () => {
    dataPlane.onSession = (session) => {
      session.sink.onRequestError('', new MillraceError('MISSING_INPUT', 'no input'));
      expect(session.aborted).toMatchObject({ reason: 'MISSING_INPUT' });
      session.sink.onEnd(undefined);
    };
    expect(await stream('many')).toMatchObject({
      statusCode: 400,
      body: '{"error":"no input","reason":"MISSING_INPUT"}',
    });
  });

  it('ends the session when a response cannot be written as JSON', async () => {
    dataPlane.onSession = (session) => {
      const outputs = [tensorOf('y', 'FP16', [1], Uint16Array.of(1))];
      session.sink.onResponse({ servable: 'many', version: '1', id: '', outputs }, undefined);
    };
    const reply = await stream('many');
    expect(reply.statusCode).toBe(400);
    expect(reply.json<{ error: string }>().error).toContain('FP16');
    expect(dataPlane.sessions[0]?.aborted).toBeDefined();
  });

  it('refuses a bad body and an unknown servable before a session opens', async () => {
    expect((await stream('many', { text_input: 5 })).statusCode).toBe(400);
    expect((await stream('none')).statusCode).toBe(404);
    expect(
      (await app.inject({ method: 'POST', url: '/v2/models/many/generate_stream', payload: '{' })).statusCode,
    ).toBe(400);
    expect(dataPlane.sessions).toHaveLength(0);
  });
});
