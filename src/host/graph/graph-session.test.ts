import { beforeEach, describe, expect, it } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { TensorPacketType } from '../../calculators/packet-types.ts';
import { passThrough } from '../../calculators/core/pass-through.ts';
import {
  anyPacket,
  CalculatorRegistry,
  defineCalculator,
  optional,
  parseGraphConfig,
  validateGraph,
} from '../../graph/index.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import { Lease } from '../lease.ts';
import { createProgram, type GraphProgram } from './graph-program.ts';
import { GraphSession } from './graph-session.ts';
import { formOf } from './ports.ts';

const tensor = new TensorPacketType('FP32');

/** Calls of the slow calculator that wait, and the signals that they were given. */
let gates: (() => void)[];
let signals: AbortSignal[];
beforeEach(() => {
  gates = [];
  signals = [];
});

/** Passes its packet on when the test lets it; fails on negative numbers. */
const slow = defineCalculator({
  name: 'SlowCalculator',
  inputs: { '': tensor },
  outputs: { '': tensor },
  inputSidePackets: { NOTE: optional(anyPacket) },
  timestampOffset: 0,
  open: () => ({
    async process({ inputs, outputs, signal }) {
      const { packet } = inputs[''];
      if (packet === undefined) return;
      signals.push(signal);
      await new Promise<void>((resolve) => gates.push(resolve));
      if (Number(typedData(packet.value)[0]) < 0) throw new Error('a negative number');
      outputs[''].send(packet);
    },
  }),
});

/** A source that never rests. */
const ticker = defineCalculator({
  name: 'TickerCalculator',
  outputs: { '': tensor },
  open() {
    let at = 0n;
    return {
      async process({ outputs }) {
        await new Promise((resolve) => setImmediate(resolve));
        outputs[''].setBound(at++);
      },
    };
  },
});

const registry = new CalculatorRegistry([slow, ticker, passThrough]);
const ONE = 'input_stream: "in" output_stream: "out" ';
const SLOW = `${ONE} node { calculator: "SlowCalculator" input_stream: "in" output_stream: "out" }`;
const NOTED = `${ONE} input_side_packet: "note"
  node { calculator: "SlowCalculator" input_stream: "in" output_stream: "out" input_side_packet: "NOTE:note" }`;

function program(text: string, changes: Partial<GraphProgram> = {}, known = registry): GraphProgram {
  const graph = validateGraph(parseGraphConfig(text, 'test'), known);
  const models = {
    session: () => {
      throw new Error('no models');
    },
  };
  return createProgram(
    {
      name: 'g',
      version: '1',
      graph,
      automaticTimestamps: 'request',
      newestInputs: new Set(),
      quota: { maxInFlightRequests: 0, maxQueuedPackets: 0 },
      takeModels: () => ({ models, release: () => {} }),
      shared: new Lease({ close: () => Promise.resolve() }, () => {}),
      ...changes,
    },
    graph.inputStreams.map((port) => ({ name: port.name, form: formOf(port), type: port.type })),
    graph.outputStreams.map((port) => ({ name: port.name, form: formOf(port) })),
  );
}

/** All that a session says. */
class Kept {
  readonly responses: InferenceResponse[] = [];
  readonly refused: [id: string, error: MillraceError][] = [];
  readonly taken: string[] = [];
  readonly dropped: string[] = [];
  end!: (error: MillraceError | undefined) => void;
  readonly ended = new Promise<MillraceError | undefined>((resolve) => (this.end = resolve));
  readonly #program: GraphProgram;
  readonly session: GraphSession;

  constructor(of: GraphProgram, parameters?: Parameters) {
    this.#program = of;
    this.session = new GraphSession(of, this.request('first', {}, parameters), {
      respond: (response) => this.responses.push(response),
      refuse: ({ id }, error) => this.refused.push([id, error]),
      taken: ({ id }) => this.taken.push(id),
      dropped: (packets, request) => this.dropped.push(request?.id ?? `${packets} in the graph`),
      end: (error) => this.end(error),
      maxBytes: Infinity,
      isFull: false,
    });
  }

  request(id: string, inputs: Readonly<Record<string, number>>, parameters?: Parameters): InferenceRequest {
    const tensors = Object.entries(inputs).map(([name, value]) => tensorOf(name, 'FP32', [1], Float32Array.of(value)));
    return { servable: this.#program.name, version: '', id, inputs: tensors, outputs: [], parameters };
  }

  push(id: string, inputs: Readonly<Record<string, number>>, parameters?: Parameters): void {
    this.session.push(this.request(id, inputs, parameters));
  }

  get answers(): string[] {
    return this.responses.map(({ id, outputs }) => `${id}=${Number(typedData(outputs[0] as Tensor)[0])}`);
  }

  get reasons(): string[] {
    return this.refused.map(([id, { reason, message }]) => `${id} ${reason}: ${message}`);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets the slow calculator go on until nothing of it waits. */
async function letAllGo(): Promise<void> {
  await turn();
  while (gates.length > 0) {
    gates.splice(0).forEach((go) => go());
    await turn();
  }
}

describe('a session', () => {
  it('says at once that its graph has failed, also to a client that is idle', async () => {
    const kept = new Kept(program(SLOW));
    kept.push('1', { in: -1 });
    await letAllGo();
    expect(await kept.ended).toMatchObject({
      reason: 'GRAPH_FAILED',
      message: expect.stringContaining('a negative number') as string,
    });
  });

  it('takes all of a request or nothing of it', async () => {
    const two = `input_stream: "a" input_stream: "b" output_stream: "c" output_stream: "d"
      node { calculator: "PassThroughCalculator" input_stream: "a" input_stream: "b" output_stream: "c" output_stream: "d" }`;
    const kept = new Kept(program(two));
    kept.push('1', { a: 1, nothing: 2 });
    kept.push('2', { a: 3, b: 4 });
    kept.session.halfClose();
    expect(await kept.ended).toBeUndefined();
    expect(kept.reasons).toEqual(['1 UNEXPECTED_INPUT: Unexpected input - nothing is unexpected']);
    expect(kept.answers).toEqual(['2=3', '2=4']);
    expect(kept.responses[0]?.parameters).toEqual({ OVMS_MP_TIMESTAMP: 0n });
  });

  it('answers with the id of the request on a stream that is both an input and an output of the graph', async () => {
    const kept = new Kept(program(`${SLOW} output_stream: "in"`));
    kept.push('1', { in: 1 }, { OVMS_MP_TIMESTAMP: 7n });
    expect(kept.answers).toEqual(['1=1']);
    await letAllGo();
    expect(kept.answers).toEqual(['1=1', '1=1']);
    kept.session.halfClose();
    expect(await kept.ended).toBeUndefined();
  });

  it('signals the calls that run when it is aborted, and gives nothing more', async () => {
    const kept = new Kept(program(SLOW));
    kept.push('1', { in: 1 });
    await turn();
    kept.session.abort(new MillraceError('CANCELLED', 'gone'));
    expect(signals[0]?.aborted).toBe(true);
    await letAllGo();
    expect(kept.responses).toEqual([]);
  });

  it('answers what it has taken before a packet that its graph refuses ends it', async () => {
    const kept = new Kept(program(SLOW));
    const at = (time: bigint): Parameters => ({ OVMS_MP_TIMESTAMP: time });
    kept.push('1', { in: 1 }, at(3n));
    kept.push('2', { in: 2 }, at(4n));
    kept.push('late', { in: 3 }, at(2n));
    kept.push('after', { in: 4 }, at(9n));
    await letAllGo();
    expect(await kept.ended).toMatchObject({ reason: 'TIMESTAMP_NOT_INCREASING', code: 'INVALID_ARGUMENT' });
    expect([kept.answers, kept.taken, kept.reasons]).toEqual([['1=1', '2=2'], ['1', '2'], []]);
  });

  it('ends with the failure of its graph when that fails while it drains', async () => {
    const kept = new Kept(program(SLOW));
    kept.push('1', { in: -1 }, { OVMS_MP_TIMESTAMP: 3n });
    kept.push('late', { in: 3 }, { OVMS_MP_TIMESTAMP: 2n });
    await letAllGo();
    expect(await kept.ended).toMatchObject({ reason: 'GRAPH_FAILED' });
  });

  it('counts what a policy of its graph drops', async () => {
    const latest = `${ONE} node { calculator: "SlowCalculator" input_stream: "in" output_stream: "out"
      input_stream_handler { input_stream_handler: "FixedSizeInputStreamHandler" } }`;
    const kept = new Kept(program(latest));
    kept.push('1', { in: 1 });
    await turn();
    for (const id of ['2', '3', '4', '5']) kept.push(id, { in: Number(id) });
    kept.session.halfClose();
    await letAllGo();
    expect(await kept.ended).toBeUndefined();
    expect([kept.answers, kept.dropped]).toEqual([['1=1', '5=5'], ['3 in the graph']]);
    expect(kept.responses.map(({ parameters }) => parameters?.['millrace_dropped'])).toEqual([3n, undefined]);
  });

  it('keeps the cause of a refusal for the log', () => {
    const cause = new TypeError('a fault of ours');
    const port = {
      name: 'in',
      type: tensor,
      get form(): never {
        throw cause;
      },
    };
    const broken = { ...program(SLOW), inputs: new Map([['in', port]]) };
    const kept = new Kept(broken);
    kept.push('1', { in: 1 });
    expect(kept.refused[0]?.[1]).toMatchObject({ reason: 'INTERNAL', cause, details: { requestIndex: 0 } });
  });
});

describe('side packets', () => {
  it('are fixed by the first request: a later one may repeat them and is refused when it changes them', async () => {
    const kept = new Kept(program(NOTED), { note: 65n });
    kept.push('1', { in: 1 }, { note: 65n, other: 'a' });
    kept.push('2', { in: 2 }, { note: 66n });
    kept.push('3', { in: 3 }, { other: 'b' });
    kept.session.halfClose();
    await letAllGo();
    expect(kept.reasons).toEqual([
      '2 SIDE_PACKET_CHANGED: side packet "note" is fixed by the first request: 65 given there, 66 here',
    ]);
    expect(kept.answers).toEqual(['1=1', '3=3']);
  });

  it('that the first request did not give cannot be given later', () => {
    const kept = new Kept(program(NOTED));
    kept.push('1', { in: 1 }, { note: 'x' });
    expect(kept.reasons[0]).toContain('nothing given there, "x" here');
  });
});

describe('limits', () => {
  it('max_in_flight_requests refuses a request while so many have outputs to come', async () => {
    const kept = new Kept(program(SLOW, { quota: { maxInFlightRequests: 2, maxQueuedPackets: 0 } }));
    for (const id of ['1', '2', '3']) kept.push(id, { in: Number(id) });
    expect(kept.reasons).toEqual([
      '3 LIMIT_REACHED: 2 requests of the stream are in flight, which is the limit (max_in_flight_requests)',
    ]);
    await letAllGo();
    kept.push('4', { in: 4 });
    kept.session.halfClose();
    await letAllGo();
    expect(await kept.ended).toBeUndefined();
    expect(kept.answers).toEqual(['1=1', '2=2', '4=4']);
  });

  it('max_queued_packets refuses what would queue more, but not what the queued packets wait for', async () => {
    const join = `input_stream: "a" input_stream: "b" output_stream: "c" output_stream: "d"
      node { calculator: "PassThroughCalculator" input_stream: "a" input_stream: "b" output_stream: "c" output_stream: "d" }`;
    const kept = new Kept(program(join, { quota: { maxInFlightRequests: 0, maxQueuedPackets: 2 } }));
    const at = (time: bigint): Parameters => ({ OVMS_MP_TIMESTAMP: time });
    for (const id of [1n, 2n, 3n]) kept.push(String(id), { a: Number(id) }, at(id));
    expect(kept.session.queueUse).toEqual({ packets: 2, bytes: 8 });
    expect(kept.reasons).toEqual([
      '3 LIMIT_REACHED: 2 packets of the stream are queued, which is the limit (max_queued_packets)',
    ]);
    kept.push('4', { b: 9 }, at(2n));
    await turn();
    expect(kept.answers).toEqual(['1=1', '4=2', '4=9']);
    expect(kept.session.queueUse.packets).toBe(0);
  });
});

describe('inputs of which the newest packet wins', () => {
  const newest = { newestInputs: new Set(['in']) };

  it('hold one packet while the graph is busy; older ones are dropped and the next response says how many', async () => {
    const kept = new Kept(program(SLOW, newest));
    for (const id of ['1', '2', '3', '4']) kept.push(id, { in: Number(id) });
    expect([kept.taken, kept.dropped]).toEqual([['1'], ['2', '3']]);
    expect(kept.session.queueUse.packets).toBe(2); // the one that the graph is about to take, and the one that waits
    await letAllGo();
    expect([kept.taken, kept.answers]).toEqual([
      ['1', '4'],
      ['1=1', '4=4'],
    ]);
    expect(kept.responses.map(({ parameters }) => parameters?.['millrace_dropped'])).toEqual([2n, undefined]);
  });

  it('lose no packet while the graph keeps up', async () => {
    const kept = new Kept(program(SLOW, newest));
    for (const id of ['1', '2', '3']) {
      kept.push(id, { in: Number(id) });
      await letAllGo();
    }
    expect([kept.dropped, kept.answers]).toEqual([[], ['1=1', '2=2', '3=3']]);
  });

  it('keep what waits at a half-close', async () => {
    const kept = new Kept(program(SLOW, newest));
    for (const id of ['1', '2', '3']) kept.push(id, { in: Number(id) });
    kept.session.halfClose();
    await letAllGo();
    expect(await kept.ended).toBeUndefined();
    expect(kept.answers).toEqual(['1=1', '3=3']);
  });

  it('leave other inputs alone: a request is dropped whole, and only for an input that it shares with a newer one', async () => {
    const two = `input_stream: "in" input_stream: "other" output_stream: "out" output_stream: "copy"
      node { calculator: "SlowCalculator" input_stream: "in" output_stream: "out" }
      node { calculator: "PassThroughCalculator" input_stream: "other" output_stream: "copy" }`;
    const kept = new Kept(program(two, newest));
    kept.push('1', { in: 1 });
    kept.push('2', { in: 2, other: 2 });
    kept.push('3', { other: 3 });
    kept.push('4', { in: 4 });
    kept.push('bad', { in: 5, nothing: 5 });
    expect(kept.dropped).toEqual(['2']);
    await letAllGo();
    expect(kept.answers.toSorted()).toEqual(['1=1', '3=3', '4=4']);
  });

  it.each([0, undefined])(
    'come through in a graph with sources although a request brings no output, timestamp offset %s',
    async (timestampOffset) => {
      const swallow = defineCalculator({
        name: 'SwallowCalculator',
        inputs: { '': tensor },
        outputs: { '': tensor },
        ...(timestampOffset !== undefined && { timestampOffset }),
        open: () => ({
          process({ inputs, outputs }) {
            const { packet } = inputs[''];
            if (packet !== undefined && Number(typedData(packet.value)[0]) % 2 === 0) outputs[''].send(packet);
          },
        }),
      });
      const ticking = `${ONE} node { calculator: "TickerCalculator" output_stream: "ticks" }
        node { calculator: "SwallowCalculator" input_stream: "in" output_stream: "out" }`;
      const kept = new Kept(program(ticking, newest, registry.withCalculators(swallow)));
      for (const id of ['1', '2', '3', '4']) {
        kept.push(id, { in: Number(id) });
        await letAllGo();
        await turn();
      }
      expect([kept.dropped, kept.answers]).toEqual([[], ['2=2', '4=4']]);
      kept.session.abort(new MillraceError('CANCELLED', 'done'));
    },
  );

  it('come through in a graph with sources, which never rests', async () => {
    const ticking = `${SLOW} output_stream: "ticks" node { calculator: "TickerCalculator" output_stream: "ticks" }`;
    const kept = new Kept(program(ticking, newest));
    for (const id of ['1', '2', '3']) kept.push(id, { in: Number(id) });
    await letAllGo();
    expect(kept.answers).toEqual(['1=1', '3=3']);
    kept.session.abort(new MillraceError('CANCELLED', 'done'));
  });
});
