import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Cancellation } from '../../src/base/cancellation.ts';
import type { HostClient } from '../../src/ipc/host-client.ts';
import { encodeBytes } from '../../src/tensor/bytes.ts';
import type { InferenceRequest } from '../../src/tensor/inference.ts';
import { tensorOf } from '../../src/tensor/tensor.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { Kept, launchers, request, start, type Started } from './host-harness.ts';

const unsound = {
  kind: 'runtime',
  name: 'unsound',
  version: '1',
  module: fileURLToPath(new URL('../fixtures/runtimes/unsound.js', import.meta.url)),
  export: 'default',
  parameters: {},
};
const x = tensorOf('x', 'FP32', [1], Float32Array.of(1));
const textRequest = (text: string): InferenceRequest =>
  request('unsound', [{ name: 'text', datatype: 'BYTES', shape: [1], data: encodeBytes([text]) }]);

let scratch: ScratchFolder;
beforeAll(async () => {
  scratch = await ScratchFolder.create();
});
afterAll(() => scratch[Symbol.asyncDispose]());

async function graph(name: string, text: string): Promise<object> {
  return { kind: 'graph', name, version: '1', graphPath: await scratch.put(`${name}.pbtxt`, text) };
}

/** Graphs that load, though their output may be what no response can carry. */
const GRAPHS = {
  parameter: `input_stream: "x" output_stream: "p" input_side_packet: "v"
    node {
      calculator: "SidePacketToStreamCalculator"
      input_stream: "TICK:x" input_side_packet: "v" output_stream: "AT_TICK:p"
    }`,
  request: `input_stream: "REQUEST:x" output_stream: "RESPONSE:p"
    node { calculator: "PassThroughCalculator" input_stream: "x" output_stream: "p" }`,
};

describe.each(Object.entries(launchers))('a host %s outlives', (_where, launch) => {
  let started: Started;
  let client: HostClient;
  beforeAll(async () => {
    started = await start(launch);
    client = started.client;
    await client.loadServable(9, unsound);
  });
  afterAll(() => started.supervisor.close(5000));
  afterEach(async () => {
    client.unload(1);
    const response = await client.infer(9, textRequest('sound'), new Cancellation());
    expect(response).toMatchObject({ outputs: [{ name: 'text', shape: [1] }] });
  });

  it.each([
    ['nothing', /undefined given, an object with outputs expected/],
    ['empty', /outputs: undefined given, an array of tensors expected/],
    ['no array', /outputs: string given, an array of tensors expected/],
    ['no tensor', /output 0: undefined given, a tensor expected/],
    ['no name', /output 0: name: undefined given, string expected/],
    ['negative dimension', /output "text": shape: \[-1\] given, whole numbers from 0 expected/],
    ['no shape', /output "text": shape: number given/],
    ['unknown datatype', /output "text": datatype: "FLOAT32" given, one like FP32 expected/],
    ['typed array', /output "text": data: Float32Array given, the raw bytes as Uint8Array expected/],
    ['big typed array', /output "text": data: Float32Array given/],
    ['no data', /output "text": data: undefined given/],
    ['wrong bytes', /output "text": data: 8 bytes given, 4 expected for FP32 \[1\]/],
    ['parameter', /parameter "list": Array given/],
    ['tensor parameter', /output "text": parameter "big": bigint given/],
    ['id', /id: number given, string expected/],
  ])("a runtime's answer with the fault: %s", async (fault, message) => {
    const failure = { reason: 'RUNTIME_FAILED', message: expect.stringMatching(message) as string };
    await expect(client.infer(9, textRequest(fault), new Cancellation())).rejects.toMatchObject(failure);
    const kept = new Kept();
    client.openSession(9, textRequest(fault), kept).push(textRequest(fault));
    expect(await kept.ended).toMatchObject(failure);
    expect(kept.responses).toEqual([]);
  });

  it("a runtime's error and description that JSON cannot say", async () => {
    const call = client.infer(9, textRequest('error'), new Cancellation());
    await expect(call).rejects.toMatchObject({ reason: 'LIMIT_REACHED', message: 'as you asked' });
    const load = client.loadServable(1, { ...unsound, export: 'undescribable' });
    await expect(load).rejects.toMatchObject({ reason: 'INTERNAL' });
  });

  it.each([
    ['early', /^as you asked$/],
    ['streamless', /^predictStream returned undefined, an async iterable expected$/],
  ])('a runtime whose stream fails before its first answer, and tells its message: %s', async (name, message) => {
    await client.loadServable(1, { ...unsound, export: name });
    const kept = new Kept();
    client.openSession(1, request('unsound', []), kept);
    const failure = { reason: 'RUNTIME_FAILED', message: expect.stringMatching(message) as string };
    expect(await kept.ended).toMatchObject(failure);
  });

  it.each([
    ['parameter', [], /output "p": string given, a tensor expected/],
    ['request', [{ name: 'y' }], /output "p": a request given, a response expected/],
  ] as const)("a graph's packet that no response can carry: %s", async (name, outputs, message) => {
    await client.loadServable(1, await graph(name, GRAPHS[name]));
    const failure = { reason: 'GRAPH_FAILED', message: expect.stringMatching(message) as string };
    const parameters = name === 'parameter' ? { v: 'text' } : undefined;
    const asked = { ...request(name, [x]), outputs, parameters };
    await expect(client.infer(1, asked, new Cancellation())).rejects.toMatchObject(failure);
    const kept = new Kept();
    client.openSession(1, asked, kept).push(asked);
    expect(await kept.ended).toMatchObject(failure);
  });

  it('a graph whose output is of a type that no response can carry, which does not load', async () => {
    const spec = await graph(
      'bool',
      `input_stream: "x" output_stream: "p"
       node { calculator: "PacketPresenceCalculator" input_stream: "PACKET:x" output_stream: "PRESENCE:p" }`,
    );
    await expect(client.loadServable(1, spec)).rejects.toMatchObject({
      reason: 'GRAPH_INVALID',
      message: expect.stringContaining('output_stream "p" carries bool; a tensor') as string,
    });
  });
});
