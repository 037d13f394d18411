import { describe, expect, it } from 'vitest';
import { descriptionOf, fakeHosts, type FakeHostScript } from '../../test/support/fake-host.ts';
import { graphSpec, modelSpec } from '../../test/support/specs.ts';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError, type Reason } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import type { SessionOutput } from '../ipc/host-handler.ts';
import { createPrometheusMeter, type PrometheusMeter } from '../observability/meter.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import type { CallContext, Session } from './data-plane.ts';
import { FrontDataPlane } from './front-data-plane.ts';
import { NO_QUOTA, type ServableSpec } from './servable-spec.ts';

const graph = (name: string, maxSessions?: number): ServableSpec =>
  graphSpec(name, { maxSessions, fingerprint: String(maxSessions) });

const request = (servable: string): InferenceRequest => ({ servable, version: '', id: '', inputs: [], outputs: [] });

const context = (): CallContext => ({ interface: 'gRPC', cancellation: new Cancellation() });

interface Opened {
  readonly session: Session;
  readonly ended: Promise<MillraceError | undefined>;
}

interface Started extends AsyncDisposable {
  readonly plane: FrontDataPlane;
  serve(...specs: ServableSpec[]): Promise<boolean>;
  open(servable: string): Opened;
  /** The host's side of the session that was opened last. */
  output(): Promise<SessionOutput>;
  /** The value of a series, e.g. `ovms_graph_error{name="g",…`; undefined where there is none. */
  metric(start: string): Promise<number | undefined>;
}

async function start(script: FakeHostScript, maxSessions: number, ...specs: ServableSpec[]): Promise<Started> {
  const meter: PrometheusMeter = createPrometheusMeter();
  const outputs: SessionOutput[] = [];
  let wanted = specs;
  const { options: hosts } = fakeHosts({
    ...script,
    open: (output) => {
      outputs.push(output);
      return {
        push: (each) => output.taken(each),
        halfClose: () => output.end(undefined),
        abort: () => {},
        onRoom: () => {},
      };
    },
  });
  const limits = { maxSessions, maxRequestsInFlight: 10, maxBytesInFlight: 1e6, session: NO_QUOTA };
  const loadServables = async () => ({ specs: wanted, broken: [], files: [], warnings: [] });
  const plane = new FrontDataPlane({ hosts, limits, loadServables }, meter, silentLogger);
  await plane.start();
  return {
    plane,
    serve: (...next) => {
      wanted = next;
      return plane.reload();
    },
    open: (servable) => {
      let end: (error: MillraceError | undefined) => void = () => {};
      const ended = new Promise<MillraceError | undefined>((resolve) => (end = resolve));
      const sink = { onResponse: () => {}, onRequestError: () => {}, onDrain: () => {}, onEnd: end };
      return { session: plane.openSession(request(servable), context(), sink), ended };
    },
    output: async () => {
      await expect.poll(() => outputs.length).toBeGreaterThan(0);
      return outputs.at(-1) as SessionOutput;
    },
    metric: async (start) => {
      const line = (await meter.render()).body.split('\n').find((each) => each.startsWith(start));
      return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
    },
    [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose](),
  };
}

const refusal = (open: () => unknown): unknown => {
  try {
    return open();
  } catch (error) {
    return error;
  }
};

describe('the number of sessions', () => {
  it('is limited for all servables together, and counted', async () => {
    await using started = await start({}, 2, graph('g'), graph('h'));
    const { session, ended } = started.open('g');
    started.open('h');
    expect(refusal(() => started.open('g'))).toMatchObject({
      reason: 'LIMIT_REACHED',
      code: 'RESOURCE_EXHAUSTED',
      message: '2 sessions are open, and the limit is 2 (max_sessions)',
    });
    expect(await started.metric('millrace_sessions{name="g"}')).toBe(1);
    expect(await started.metric('millrace_sessions_refused{name="g",scope="server"}')).toBe(1);
    expect(await started.metric('millrace_sessions_refused{name="g",scope="servable"}')).toBe(0);
    session.halfClose();
    expect(await ended).toBeUndefined();
    expect(await started.metric('millrace_sessions{name="g"}')).toBe(0);
    started.open('g');
  });

  it('is limited for one servable where its entry says so, and the others stay open', async () => {
    await using started = await start({}, 10, graph('g', 2), graph('h'));
    started.open('g');
    const { session, ended } = started.open('g');
    expect(refusal(() => started.open('g'))).toMatchObject({
      reason: 'LIMIT_REACHED',
      code: 'RESOURCE_EXHAUSTED',
      message: "2 sessions of 'g' are open, and the limit is 2 (max_sessions of the servable's entry)",
      details: { setting: 'max_sessions', scope: 'servable', open: 2, limit: 2 },
    });
    expect(await started.metric('millrace_sessions_refused{name="g",scope="servable"}')).toBe(1);
    started.open('h');
    session.halfClose();
    await ended;
    started.open('g');
  });

  it('counts streams on models, which need no host for that', async () => {
    await using started = await start({}, 2, modelSpec('m', { maxSessions: 1 }), graph('g'));
    const end = started.plane.openModelStream('m', '');
    expect(refusal(() => started.plane.openModelStream('m', '1'))).toMatchObject({
      reason: 'LIMIT_REACHED',
      message: "1 sessions of 'm' are open, and the limit is 1 (max_sessions of the servable's entry)",
    });
    started.open('g');
    expect(refusal(() => started.open('g'))).toMatchObject({ message: expect.stringMatching(/^2 sessions/) as string });
    expect(await started.metric('millrace_sessions{name="m"}')).toBe(1);
    expect(await started.metric('millrace_sessions_refused{name="m",scope="servable"}')).toBe(1);
    end();
    expect(await started.metric('millrace_sessions{name="m"}')).toBe(0);
    started.plane.openModelStream('m', '')();
    await started.plane.drain(0);
    expect(refusal(() => started.plane.openModelStream('m', ''))).toMatchObject({ reason: 'SHUTTING_DOWN' });
  });

  it('counts those on an older generation; a lowered limit ends none of them', async () => {
    await using started = await start({}, 10, graph('g', 2));
    const [first, second] = [started.open('g'), started.open('g')];
    await started.serve(graph('g', 1));
    expect(refusal(() => started.open('g'))).toMatchObject({
      message: expect.stringMatching(/^2 .* limit is 1 /) as string,
    });
    for (const { session, ended } of [first, second]) {
      session.halfClose();
      expect(await ended).toBeUndefined();
    }
    started.open('g');
  });
});

describe("a graph's counters", () => {
  const series = (family: string, method: string) =>
    `ovms_${family}{name="g",api="KServe",method="${method}",interface="gRPC"}`;
  const counts = async (started: Started, method: string) => ({
    accepted: await started.metric(series('requests_accepted', method)),
    rejected: await started.metric(series('requests_rejected', method)),
    failed: await started.metric(series('graph_error', method)),
  });

  it('are there at 0 when it is loaded', async () => {
    await using started = await start({}, 10, graph('g'));
    const none = { accepted: 0, rejected: 0, failed: 0 };
    expect(await counts(started, 'ModelInfer')).toEqual(none);
    expect(await counts(started, 'ModelInferStream')).toEqual(none);
  });

  const OUTCOMES: readonly (readonly [Reason, 'rejected' | 'failed' | undefined])[] = [
    ['UNEXPECTED_INPUT', 'rejected'],
    ['WRONG_SHAPE', 'rejected'],
    ['GRAPH_FAILED', 'failed'],
    ['GRAPH_START_FAILED', 'failed'],
    ['TIMESTAMP_NOT_INCREASING', 'failed'],
    ['HOST_LOST', 'failed'],
    ['INTERNAL', 'failed'],
    ['CANCELLED', undefined],
    ['DEADLINE_EXCEEDED', undefined],
    ['LIMIT_REACHED', undefined],
  ];

  it.each(OUTCOMES)('take %s as %s, in a session and in a unary request', async (reason, outcome) => {
    const fault = new MillraceError(reason, 'as the test says');
    await using started = await start(
      {
        infer: () => {
          throw fault;
        },
      },
      10,
      graph('g'),
    );
    const expected = { accepted: 0, rejected: 0, failed: 0, ...(outcome && { [outcome]: 1 }) };
    await expect(started.plane.infer(request('g'), context())).rejects.toMatchObject({ reason });
    expect(await counts(started, 'ModelInfer')).toEqual(expected);
    const { ended } = started.open('g');
    (await started.output()).end(fault);
    expect(await ended).toMatchObject({ reason });
    expect(await counts(started, 'ModelInferStream')).toEqual(expected);
  });
});

describe('a graph that is loading', () => {
  it('is waited for by a request and by a session, whether it comes or fails; nothing waits for what is ready', async () => {
    const loading: ((description: object) => void)[] = [];
    const load = (spec: ServableSpec) =>
      spec.name === 'g' ? descriptionOf() : new Promise<object>((resolve) => loading.push(resolve));
    await using started = await start({ load }, 10, graph('g'));
    const { plane } = started;
    expect(plane.graphToCome('g')).toBeUndefined();
    expect(plane.graphToCome('nothing')).toBeUndefined();
    const served = started.serve(graph('g'), graph('h'));
    await expect.poll(() => loading.length).toBe(1);
    const [answer, coming] = [plane.infer(request('h'), context()), plane.graphToCome('h')];
    expect(refusal(() => started.open('h'))).toMatchObject({ reason: 'SERVABLE_NOT_READY' });
    loading[0]?.(descriptionOf());
    await coming;
    started.open('h');
    expect(await answer).toMatchObject({ servable: 'h' });
    await served;
  });

  it('is waited for by as many requests as may be in flight', async () => {
    const loading: ((description: object) => void)[] = [];
    const load = (spec: ServableSpec) =>
      spec.name === 'g' ? descriptionOf() : new Promise<object>((resolve) => loading.push(resolve));
    await using started = await start({ load }, 10, graph('g'));
    const served = started.serve(graph('g'), graph('h'));
    await expect.poll(() => loading.length).toBe(1);
    const answers = Array.from({ length: 10 }, () => started.plane.infer(request('h'), context()));
    await expect(started.plane.infer(request('h'), context())).rejects.toMatchObject({ reason: 'LIMIT_REACHED' });
    loading[0]?.(descriptionOf());
    expect(await Promise.all(answers)).toHaveLength(10);
    expect(await started.plane.infer(request('h'), context())).toMatchObject({ servable: 'h' });
    await served;
  });

  it('is not waited for longer than half a second', async () => {
    const load = (spec: ServableSpec) => (spec.name === 'g' ? descriptionOf() : new Promise<object>(() => {}));
    await using started = await start({ load }, 10, graph('g'));
    void started.serve(graph('g'), graph('h'));
    await expect.poll(() => started.plane.graphToCome('h') === undefined).toBe(false);
    await expect(started.plane.infer(request('h'), context())).rejects.toMatchObject({ reason: 'SERVABLE_NOT_READY' });
  });
});

it('the provider of a model is shown for as long as it is served', async () => {
  await using started = await start({ load: () => descriptionOf({ provider: 'cpu' }) }, 10, modelSpec('m'));
  const provider = () => started.metric('millrace_model_provider{name="m",version="1",provider="cpu"}');
  expect(await provider()).toBe(1);
  await started.serve();
  expect(await provider()).toBeUndefined();
  await started.serve(modelSpec('m'));
  expect(await provider()).toBe(1);
});

it('a request of a session counts once, however many responses it has, with the time until the last', async () => {
  await using started = await start({}, 10, graphSpec('g'));
  const { session, ended } = started.open('g');
  session.push(request('g'));
  const output = await started.output();
  const response = { servable: 'g', version: '1', id: '', outputs: [] };
  output.respond(response, { latencyUs: 100, previousUs: undefined });
  output.respond(response, { latencyUs: 250, previousUs: 100 });
  output.respond(response, { latencyUs: 40, previousUs: undefined });
  output.respond(response);
  output.end(undefined);
  await ended;
  const [statistics] = await started.plane.statistics('g', '');
  const counted = { count: 2, ns: 290_000 };
  expect(statistics).toMatchObject({ inferenceCount: 2, executionCount: 2, success: counted, computeInfer: counted });
  const latencies = 'ovms_graph_request_latency_us_count{name="g",method="ModelInferStream"}';
  expect(await started.metric(latencies)).toBe(3);
});
