import { describe, expect, test } from 'vitest';
import { defineCalculator, optional } from './calculator.ts';
import { anyPacket } from './packet-type.ts';
import { startGraph } from './test-kit.ts';

/** Passes the header on and refuses to open without one. */
const relay = defineCalculator({
  name: 'Relay',
  inputs: { '': anyPacket },
  outputs: { '': optional(anyPacket) },
  open({ inputs, outputs }) {
    const { header } = inputs[''];
    if (header === undefined) throw new Error('a header is expected');
    outputs['']?.setHeader(`${header as string}!`);
  },
});

describe('headers', () => {
  const graph = (reader: string) =>
    `input_stream: "a" node { calculator: "Relay" input_stream: "a" output_stream: "b" } node { calculator: "${reader}" input_stream: "b" }`;

  test('given at the start are there in open, and so are those of nodes before', async () => {
    const seen: unknown[] = [];
    const reader = defineCalculator({
      name: 'Reader',
      inputs: { '': anyPacket },
      open({ inputs }) {
        seen.push(inputs[''].header);
      },
    });
    const { run, idle } = startGraph(graph('Reader'), [relay, reader], { headers: { a: 'video' } });
    await idle();
    expect(seen).toEqual(['video!']);
    run.cancel();
  });

  test('that a node needs and does not get fail its Open', async () => {
    const { run } = startGraph(graph('Relay'), [relay]);
    await expect(run.waitUntilDone()).rejects.toThrow('Open() for node "Relay_1" failed: a header is expected');
  });

  test.each([
    [
      'with a timestamp',
      'open',
      { value: 1, timestamp: 5n },
      'INVALID_ARGUMENT',
      /"b": a header has no timestamp, but 5/,
    ],
    ['after open', 'process', 'late', 'FAILED_PRECONDITION', /"b": a header can only be set in open/],
  ])('%s are an error', async (_, phase, header, code, message) => {
    const setter = defineCalculator({
      name: 'Setter',
      inputs: { '': anyPacket },
      outputs: { '': anyPacket },
      open({ outputs }) {
        if (phase === 'open') outputs[''].setHeader(header);
        return { process: () => outputs[''].setHeader(header) };
      },
    });
    const { run, add } = startGraph(
      'input_stream: "a" node { calculator: "Setter" input_stream: "a" output_stream: "b" }',
      [setter],
    );
    add('a', 0);
    const failure = expect(run.waitUntilDone()).rejects;
    await failure.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  test('for what is no graph input are refused', () => {
    expect(() => startGraph(graph('Relay'), [relay], { headers: { b: 1 } })).toThrow(/"b", which is no graph input/);
  });
});
