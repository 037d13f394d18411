import { describe, expect, it } from 'vitest';
import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import { passThrough } from '../../calculators/core/pass-through.ts';
import { imagePacket, sparseTensorPacket } from '../../calculators/packet-types.ts';
import { CalculatorRegistry, defineCalculator, parseGraphConfig, validateGraph } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { encodeImage } from '../../media/image-codec.ts';
import { decodeBytes, encodeBytes } from '../../tensor/bytes.ts';
import type { InferenceRequest, InferenceResponse, RequestedOutput } from '../../tensor/inference.ts';
import { tensorOf, type Tensor } from '../../tensor/tensor.ts';
import { Lease } from '../lease.ts';
import { createProgram, type GraphProgram } from './graph-program.ts';
import { GraphSession } from './graph-session.ts';
import { formOf } from './ports.ts';
import { inferOnce } from './unary.ts';

/** Passes images on; BRIGHT has the first value of those that are not black. */
const look = defineCalculator({
  name: 'LookCalculator',
  inputs: { IMAGE: imagePacket },
  outputs: { IMAGE: imagePacket, BRIGHT: sparseTensorPacket('FP32', [1]) },
  timestampOffset: 0,
  open: () => ({
    process({ inputs: { IMAGE }, outputs }) {
      if (IMAGE.packet === undefined) return;
      outputs.IMAGE.send(IMAGE.packet);
      const [value = 0] = IMAGE.packet.value.data;
      if (value > 0) outputs.BRIGHT.send(tensorOf('BRIGHT', 'FP32', [1], Float32Array.of(value)));
    },
  }),
});

const GRAPH = `input_stream: "IMAGE:image" output_stream: "IMAGE:seen" output_stream: "BRIGHT:bright"
  node { calculator: "LookCalculator" input_stream: "IMAGE:image" output_stream: "IMAGE:seen" output_stream: "BRIGHT:bright" }`;

function program(changes: Partial<GraphProgram> = {}): GraphProgram {
  const graph = validateGraph(parseGraphConfig(GRAPH, 'test'), new CalculatorRegistry([look, passThrough]));
  const session = () => {
    throw new Error('no models');
  };
  return createProgram(
    {
      name: 'g',
      version: '1',
      graph,
      automaticTimestamps: 'request',
      newestInputs: new Set(),
      quota: { maxInFlightRequests: 0, maxQueuedPackets: 0 },
      takeModels: () => ({ models: { session }, release: () => {} }),
      shared: new Lease({ close: () => Promise.resolve() }, () => {}),
      ...changes,
    },
    graph.inputStreams.map((port) => ({ name: port.name, form: formOf(port), type: port.type })),
    graph.outputStreams.map((port) => ({ name: port.name, form: formOf(port), sparse: port.name === 'bright' })),
  );
}

function plain(value: number, side = 16): Image {
  return { width: side, height: side, channels: 3, format: 'SRGB', data: new Uint8Array(side * side * 3).fill(value) };
}

function bytes(file: Uint8Array, shape: number[] = [1]): Tensor {
  return { name: 'image', datatype: 'BYTES', shape, data: encodeBytes([file]) };
}

const rawTensor = ({ width, height, data }: Image): Tensor => tensorOf('image', 'UINT8', [height, width, 3], data);

function request(id: string, tensor: Tensor, outputs: readonly RequestedOutput[] = []): InferenceRequest {
  return { servable: 'g', version: '', id, inputs: [tensor], outputs };
}

const JPEG: readonly RequestedOutput[] = [{ name: 'seen', parameters: { content_type: 'image/jpeg' } }];

describe('a unary request', () => {
  it('takes an encoded image, and answers with pixels', async () => {
    const file = await encodeImage(plain(120), 'image/png');
    const { outputs } = await inferOnce(program(), request('a', bytes(file)), new Cancellation());
    expect(outputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([
      ['bright', 'FP32', [1]],
      ['seen', 'UINT8', [16, 16, 3]],
    ]);
    expect(outputs[1]?.data).toEqual(plain(120).data);
  });

  it('gets the image encoded as it asks for', async () => {
    const raw = request('a', rawTensor(plain(120)), JPEG);
    const { outputs } = await inferOnce(program(), raw, new Cancellation());
    expect(outputs.filter(({ name }) => name === 'seen')).toMatchObject([
      { name: 'seen', datatype: 'BYTES', shape: [1], parameters: { content_type: 'image/jpeg' } },
    ]);
    const [file] = decodeBytes(outputs[0]!.data, 1, 'seen');
    expect([...file!.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
  });

  it('is answered without what was not found', async () => {
    const asked = [{ name: 'bright' }, { name: 'seen' }];
    const dark = await inferOnce(program(), request('a', rawTensor(plain(0)), asked), new Cancellation());
    expect(dark.outputs.map(({ name }) => name)).toEqual(['seen']);
    const only = await inferOnce(
      program(),
      request('b', rawTensor(plain(0)), [{ name: 'bright' }]),
      new Cancellation(),
    );
    expect(only).toMatchObject({ id: 'b', outputs: [] });
  });

  it.each<[string, Tensor, readonly RequestedOutput[], string, string]>([
    ['two elements', bytes(new Uint8Array(), [2]), [], 'WRONG_SHAPE', "input 'image': BYTES of shape [2] given, one element expected, an encoded image"],
    ['no image', bytes(new Uint8Array([1, 2, 3])), [], 'MALFORMED_BYTES', "input 'image': 3 bytes of an unknown kind given, a JPEG, PNG or WebP image expected"],
    ['an encoding that there is not', rawTensor(plain(1)), [{ name: 'seen', parameters: { content_type: 'image/gif' } }], 'INVALID_PARAMETER', 'output \'seen\': parameter content_type: "image/gif" given, image/jpeg, image/png, image/webp expected, or none for raw pixels'],
    ['an encoding of what is no image', rawTensor(plain(1)), [{ name: 'bright', parameters: { content_type: 'image/png' } }], 'INVALID_PARAMETER', 'output \'bright\': parameter content_type: "image/png" given, none expected: only IMAGE outputs can be encoded'],
    ['a quality out of range', rawTensor(plain(1)), [{ name: 'seen', parameters: { content_type: 'image/webp', quality: 0n } }], 'INVALID_PARAMETER', "output 'seen': parameter quality: 0 given, a whole number from 1 to 100 expected"],
  ])('is refused for %s', async (_, tensor, outputs, reason, message) => {
    const asked = inferOnce(program(), request('a', tensor, outputs), new Cancellation());
    await expect(asked).rejects.toMatchObject({ reason, message });
  }); // prettier-ignore
});

describe('a session', () => {
  /** Pushes the requests at once, half-closes, and collects what comes until the end. */
  async function run(of: GraphProgram, requests: readonly InferenceRequest[]) {
    const responses: InferenceResponse[] = [];
    const refused: string[] = [];
    const dropped: (string | undefined)[] = [];
    const error = await new Promise<MillraceError | undefined>((resolve) => {
      const session = new GraphSession(of, requests[0]!, {
        respond: (response) => responses.push(response),
        refuse: ({ id }, { reason }) => refused.push(`${id} ${reason}`),
        taken: () => {},
        dropped: (_, which) => dropped.push(which?.id),
        end: resolve,
        maxBytes: Infinity,
        isFull: false,
      });
      for (const each of requests) session.push(each);
      session.halfClose();
    });
    const seen = responses.filter(({ outputs }) => outputs[0]?.name === 'seen');
    return {
      error,
      refused,
      dropped,
      ids: seen.map(({ id }) => id),
      kinds: seen.map(({ outputs }) => outputs[0]?.datatype),
    };
  }

  it('keeps the order of encoded and raw images in both directions', async () => {
    const big = await encodeImage(plain(50, 1000), 'image/png');
    const outcome = await run(program(), [
      request('a', bytes(big), JPEG),
      request('b', rawTensor(plain(60))),
      request('c', bytes(await encodeImage(plain(70), 'image/webp')), JPEG),
      request('d', rawTensor(plain(80))),
    ]);
    expect(outcome).toMatchObject({ error: undefined, refused: [], ids: ['a', 'b', 'c', 'd'] });
    expect(outcome.kinds).toEqual(['BYTES', 'UINT8', 'BYTES', 'UINT8']);
  });

  it('refuses an image that cannot be decoded and lives on', async () => {
    const good = await encodeImage(plain(50, 100), 'image/jpeg');
    const outcome = await run(program(), [
      request('a', bytes(good.subarray(0, good.length - 100))),
      request('b', bytes(good)),
    ]);
    expect(outcome).toMatchObject({ error: undefined, refused: ['a MALFORMED_BYTES'], ids: ['b'] });
  });

  it('refuses a request that wants what is no image encoded, and lives on', async () => {
    const numbers = [{ name: 'seen' }, { name: 'bright', parameters: { content_type: 'image/jpeg' } }];
    const outcome = await run(program(), [
      request('a', rawTensor(plain(50))),
      request('b', rawTensor(plain(60)), numbers),
      request('c', rawTensor(plain(70)), JPEG),
    ]);
    expect(outcome).toMatchObject({ error: undefined, refused: ['b INVALID_PARAMETER'], ids: ['a', 'c'] });
  });

  it('drops an image that is still being decoded for a newer one', async () => {
    const files = await Promise.all([10, 20, 30].map((value) => encodeImage(plain(value, 800), 'image/png')));
    const requests = files.map((file, at) => request(String(at), bytes(file)));
    const outcome = await run(program({ newestInputs: new Set(['image']) }), requests);
    expect(outcome).toMatchObject({ error: undefined, dropped: ['0', '1'], ids: ['2'] });
  });

  it('ends with the fault of an image that its encoding cannot hold', async () => {
    const floats: Tensor = tensorOf('image', 'FP32', [1, 1, 1], Float32Array.of(1));
    const outcome = await run(program(), [request('a', floats, JPEG)]);
    expect(outcome.error).toMatchObject({ reason: 'GRAPH_FAILED' });
    expect(outcome.ids).toEqual([]);
  });
});
