import { describe, expect, it } from 'vitest';
import { Cancellation } from '../../base/cancellation.ts';
import { silentLogger } from '../../base/logger.ts';
import type { RouteResponse, RuntimeResponse, RuntimeRoute } from '../../runtime/script/define-runtime.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import { CallContext, type SharedContext } from './call-context.ts';
import { RuntimeRoutes } from './runtime-routes.ts';

const shared: SharedContext = {
  logger: silentLogger,
  meter: undefined as never,
  parameters: {},
  model: { name: 'm', version: '1', settings: {} },
  uri: '/',
};
const context = new CallContext(shared, new Cancellation());
const call = (route: string, body = ''): InferenceRequest => {
  const data = Buffer.from(body);
  const inputs = [{ name: 'body', datatype: 'UINT8', shape: [data.length], data } as const];
  return { servable: 'm', version: '', id: '', inputs, outputs: [], route };
};
const answersTo = async (routes: RuntimeRoutes, request: InferenceRequest): Promise<RuntimeResponse[]> => {
  const answers: RuntimeResponse[] = [];
  for await (const answer of routes.answer(request, context)) answers.push(answer);
  return answers;
};
const answering = (answer: unknown): RuntimeRoutes =>
  new RuntimeRoutes([{ path: '/x', handle: () => answer as RouteResponse }]);

describe('routes of a runtime’s own', () => {
  it.each([
    [{ path: 'x', handle: () => ({}) }, 'routes[0].path: path "x": one that begins with / expected'],
    [{ path: 1, handle: () => ({}) }, 'routes[0].path: number given, string expected'],
    [{ path: '/x' }, 'routes[0].handle: undefined given, function expected'],
    [
      { path: '/x', method: 'FETCH', handle: () => ({}) },
      'routes[0].method: "FETCH" given, one of GET, POST, PUT, PATCH, DELETE expected',
    ],
    [null, 'routes[0].path: undefined given, string expected'],
    [{ path: '/x', handle: () => ({}), openapi: [] }, 'routes[0].openapi: Array given, an object expected'],
  ])('%j is none', (route, message) => {
    expect(() => new RuntimeRoutes([route as unknown as RuntimeRoute])).toThrow(message);
  });

  it('two of one method and path are a fault', () => {
    const one: RuntimeRoute = { path: '/x', handle: () => ({}) };
    expect(() => new RuntimeRoutes([one, { ...one, method: 'get' }, { ...one, method: 'post' }])).toThrow(
      'routes[2]: POST /x is there already as routes[0]',
    );
  });

  it.each([
    [null, 'null given, an object with json or body expected'],
    [{ status: 99 }, 'status: 99 given, a number from 200 to 599 expected'],
    [{ json: 1, body: '' }, 'json and body are both given, one of them expected'],
    [{ body: 1 }, 'body: number given, string, Uint8Array or an async generator of them expected'],
    [{ headers: { a: 1 } }, 'header "a": number given, string expected'],
  ])('the answer %j is none', async (answer, message) => {
    await expect(answersTo(answering(answer), call('POST /x'))).rejects.toThrow(`answer of route POST /x: ${message}`);
  });

  it('answers with status, headers and body; nothing is an empty answer', async () => {
    const routes = answering({ status: 404, headers: { 'Content-Type': 'a/b' }, body: Uint8Array.of(1) });
    expect(await answersTo(routes, call('POST /x?y=1'))).toEqual([
      {
        outputs: [{ name: 'body', datatype: 'UINT8', shape: [1], data: Uint8Array.of(1) }],
        parameters: { status: 404n },
        headers: { 'content-type': 'a/b' },
      },
    ]);
    const [nothing] = await answersTo(answering({}), call('POST /x'));
    expect([nothing?.parameters, nothing?.headers, nothing?.outputs[0]?.shape]).toEqual([{ status: 200n }, {}, [0]]);
  });

  it('answers in pieces: the head goes with the first', async () => {
    async function* pieces(...each: unknown[]): AsyncGenerator {
      yield* each;
    }
    const answers = await answersTo(answering({ status: 206, body: pieces('a', Uint8Array.of(1)) }), call('POST /x'));
    expect(
      answers.map(({ outputs, parameters }) => [Buffer.from(outputs[0]?.data ?? []).toString('latin1'), parameters]),
    ).toEqual([
      ['a', { status: 206n, more: true }],
      ['\u0001', undefined],
    ]);
    expect(answers[0]?.headers).toEqual({ 'content-type': 'text/plain; charset=utf-8' });
    const [none] = await answersTo(answering({ body: pieces() }), call('POST /x'));
    expect([none?.parameters, none?.outputs[0]?.shape]).toEqual([{ status: 200n }, [0]]);
    await expect(answersTo(answering({ body: pieces('a', 1) }), call('POST /x'))).rejects.toThrow(
      'answer of route POST /x: piece: number given, string or Uint8Array expected',
    );
  });
});
