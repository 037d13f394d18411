import { describe, expect, test } from 'vitest';
import { defineCalculator, repeated } from '../calculator.ts';
import { anyPacket } from '../packet-type.ts';
import { counter, recorder, startGraph } from '../test-kit.ts';
import { timestampName } from '../timestamp.ts';

/** Sends 0 at 0 in open, then copies. */
const early = defineCalculator({
  name: 'Early',
  inputs: { '': anyPacket },
  outputs: { '': anyPacket },
  open({ inputs, outputs }) {
    outputs[''].send(inputs[''].packet === undefined ? 'opened' : 'had input', 0n);
    return {
      process: ({ inputs: { '': input } }) => outputs[''].send(input.packet),
      close: ({ timestamp }) => outputs[''].send('closed', timestamp === 2n ** 63n - 1n ? 1000n : 1n),
    };
  },
});

describe('Open and Close', () => {
  test('packets sent there reach consumers, before and after the rest; inputs are empty in Open', async () => {
    const calls: string[] = [];
    const { add, finish } = startGraph(
      'input_stream: "a" node { calculator: "Early" input_stream: "a" output_stream: "b" } node { calculator: "R" input_stream: "b" }',
      [early, recorder('R', calls)],
    );
    add('a', 5);
    await finish();
    expect(calls).toEqual(['0 b=opened', '5 b=5', '1000 b=closed', 'close']);
  });

  test('packets sent in Open may throttle a source from the very start', async () => {
    const opener = defineCalculator({
      name: 'Opener',
      outputs: { '': repeated(anyPacket) },
      open({ outputs }) {
        outputs[''][0]?.send('first', -1n);
        let next = 0n;
        return {
          process(context) {
            outputs[''][0]?.send(next, next);
            if (++next === 3n) context.stop();
          },
        };
      },
    });
    const { run, seen } = startGraph(
      'max_queue_size: 1 node { calculator: "Opener" output_stream: "o" } node { calculator: "Copy" input_stream: "o" output_stream: "b" }',
      [opener],
      { observe: ['b'] },
    );
    await run.waitUntilDone();
    expect(seen).toEqual(['b@-1=first', 'b@0=0', 'b@1=1', 'b@2=2']);
  });

  test('input timestamps: Unstarted, 0 in sources, Done; Unstarted, t, Done elsewhere', async () => {
    const seen: string[] = [];
    const watch = (name: string, isSource: boolean) =>
      defineCalculator({
        name,
        ...(isSource ? { outputs: { '': anyPacket } } : { inputs: { '': anyPacket } }),
        open(context) {
          const note = ({ timestamp }: { readonly timestamp: bigint }) =>
            seen.push(`${name} ${timestampName(timestamp)}`);
          note(context);
          return {
            process(call) {
              note(call);
              if (!isSource) return;
              call.outputPorts[0]?.send('x', 7n);
              call.stop();
            },
            close: (call) => void note(call),
          };
        },
      });
    const { run } = startGraph(
      'node { calculator: "Source" output_stream: "s" } node { calculator: "Sink" input_stream: "s" }',
      [watch('Source', true), watch('Sink', false)],
    );
    await run.waitUntilDone();
    const times = (name: string) =>
      seen.filter((text) => text.startsWith(name)).map((text) => text.slice(name.length + 1));
    expect(times('Source')).toEqual(['Timestamp::Unstarted()', '0', 'Timestamp::Done()']);
    expect(times('Sink')).toEqual(['Timestamp::Unstarted()', '7', 'Timestamp::Done()']);
  });

  test.each(['open', 'close'] as const)('stop in %s is an error', async (phase) => {
    const stopper = defineCalculator({
      name: 'Stopper',
      inputs: { '': anyPacket },
      open(context) {
        if (phase === 'open') context.stop();
        return { close: ({ stop }) => stop() };
      },
    });
    const { finish } = startGraph('input_stream: "a" node { calculator: "Stopper" input_stream: "a" }', [stopper]);
    await expect(finish()).rejects.toThrow('stop is only allowed in process');
  });
});

describe('branches', () => {
  /** Even values left, odd ones right; what is not sent is settled by the offset or, without one, is not. */
  const demux = (timestampOffset: 0 | undefined) =>
    defineCalculator({
      name: 'Demux',
      inputs: { '': anyPacket },
      outputs: { '': repeated(anyPacket), SELECT: anyPacket },
      ...(timestampOffset === undefined ? {} : { timestampOffset }),
      open: () => ({
        process({ inputs, outputs }) {
          const { packet } = inputs[''];
          const branch = Number(packet?.value) % 2;
          outputs.SELECT.send(branch);
          outputs[''][branch]?.send(packet);
        },
      }),
    });
  const branches = (join: string) => `input_stream: "a"
    node { calculator: "Demux" input_stream: "a" output_stream: "even" output_stream: "odd" output_stream: "SELECT:s" }
    node { calculator: "Copy" input_stream: "even" output_stream: "even2" }
    node { calculator: "Copy" input_stream: "odd" output_stream: "odd2" }
    node { calculator: "R" input_stream: "even2" input_stream: "odd2" ${join} }`;

  test.each([
    [
      'by the Mux policy',
      undefined,
      'input_stream: "SELECT:s" input_stream_handler { input_stream_handler: "MuxInputStreamHandler" }',
      ' s=',
    ],
    ['by the Default policy and forwarded bounds', 0 as const, '', undefined],
  ])('join %s, each value from its branch', async (_, offset, join, select) => {
    const calls: string[] = [];
    const { add, idle, finish } = startGraph(branches(join), [demux(offset), recorder('R', calls)]);
    const call = (t: number) => {
      const [even, odd] = t % 2 === 0 ? [t, '-'] : ['-', t];
      return `${t} even2=${even} odd2=${odd}${select === undefined ? '' : `${select}${t % 2}`}`;
    };
    for (const t of [0, 1, 2, 5]) {
      add('a', t);
      await idle();
      expect(calls.splice(0)).toEqual([call(t)]);
    }
    await finish();
    expect(calls).toEqual(['close']);
  });
});

describe('sources', () => {
  test('a slow sink gets all packets after its source has closed', async () => {
    const got: unknown[] = [];
    const sink = defineCalculator({
      name: 'Sink',
      inputs: { '': anyPacket },
      open: () => ({
        async process({ inputs }) {
          await new Promise((resolve) => setImmediate(resolve));
          got.push(inputs[''].packet?.value);
        },
      }),
    });
    const { run } = startGraph(
      'max_queue_size: -1 node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "c" } node { calculator: "Sink" input_stream: "c" }',
      [counter, sink],
      { sidePackets: { n: 50 } },
    );
    await run.waitUntilDone();
    expect(got).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  test('two runs of one graph share nothing', async () => {
    const graph = 'node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "c" }';
    const runs = [2, 3].map((n) => startGraph(graph, [counter], { observe: ['c'], sidePackets: { n } }));
    await Promise.all(runs.map(({ run }) => run.waitUntilDone()));
    expect(runs.map(({ seen }) => seen.length)).toEqual([2, 3]);
  });

  test('a graph without nodes ends when its inputs close', async () => {
    const { run, add, seen, finish } = startGraph('input_stream: "a"', [], { observe: ['a'] });
    add('a', 1);
    await run.waitUntilIdle();
    expect(seen).toEqual(['a@1=1']);
    await finish();
  });
});
