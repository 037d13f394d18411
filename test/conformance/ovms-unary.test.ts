import { describe, expect, it } from 'vitest';
import { useOvmsServer } from './ovms/server.ts';

/** Unary requests to graphs and their validation: the OVMS sheet, §2 and §3.4. */
const ovms = useOvmsServer();

const INVALID_ARGUMENT = 3;
const FAILED_PRECONDITION = 9;
const UNAVAILABLE = 14;

interface Input {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Typed contents; without them `raw` or bytes of zero, as many as shape and datatype need. */
  readonly contents?: object;
  readonly raw?: Buffer;
}

const SIZES: Readonly<Record<string, number>> = {
  BOOL: 1,
  INT8: 1,
  UINT8: 1,
  INT16: 2,
  UINT16: 2,
  FP16: 2,
  INT32: 4,
  UINT32: 4,
  FP32: 4,
  INT64: 8,
  UINT64: 8,
  FP64: 8,
};

function zeros({ datatype, shape }: Input): Buffer {
  return Buffer.alloc(
    Math.max(
      0,
      shape.reduce((a, b) => a * b, 1),
    ) * (SIZES[datatype] ?? 0),
  );
}

interface Answer {
  readonly id: string;
  readonly model_version: string;
  readonly parameters: Readonly<Record<string, { readonly int64_param: string }>>;
  readonly outputs: readonly { readonly name: string; readonly datatype: string; readonly shape: readonly string[] }[];
  readonly raw_output_contents: readonly Buffer[];
}

async function infer(graph: string, inputs: readonly Input[], more: object = {}) {
  const typed = inputs.some(({ contents }) => contents !== undefined);
  const { code, text, responses } = await ovms.client.unary('ModelInfer', {
    model_name: graph,
    inputs: inputs.map(({ name, datatype, shape, contents }) => ({
      name,
      datatype,
      shape,
      ...(contents && { contents }),
    })),
    ...(!typed && { raw_input_contents: inputs.map((input) => input.raw ?? zeros(input)) }),
    ...more,
  });
  return { code, text, response: responses[0] as Answer | undefined };
}

const fp32 = (name: string, value: number): Input => ({
  name,
  datatype: 'FP32',
  shape: [1],
  raw: Buffer.from(Float32Array.of(value).buffer),
});

/** The outputs by name: datatype, shape and bytes in hexadecimal. */
function outputsOf(response: Answer | undefined) {
  return (response?.outputs ?? []).map(({ name, datatype, shape }, at) => [
    name,
    datatype,
    shape.map(Number),
    response?.raw_output_contents[at]?.toString('hex'),
  ]);
}

const hex = (value: number): string => Buffer.from(Float32Array.of(value).buffer).toString('hex');

describe('a unary request to a graph', () => {
  it('InferWithParams: string, bool and int64 parameters reach nodes as side packets', async () => {
    const parameters = {
      string_param: { string_param: 'abc' },
      bool_param: { bool_param: true },
      int64_param: { int64_param: '9007199254740993' },
    };
    const { code, response } = await infer('side_packets', [fp32('in', 1)], { parameters });
    expect(code).toBe(0);
    const int64 = Buffer.from(BigInt64Array.of(9007199254740993n).buffer).toString('hex');
    expect(outputsOf(response)).toEqual([
      ['string', 'UINT8', [3], '616263'],
      ['bool', 'BOOL', [1], '01'],
      ['int64', 'INT64', [1], int64],
    ]);
  });

  it('InferWithRestrictedParamName: "py" is refused', async () => {
    const parameters = { py: { string_param: 'abc' } };
    expect(await infer('add_one', [fp32('in', 1)], { parameters })).toMatchObject({
      code: FAILED_PRECONDITION,
      text: 'Failed to initialize mediapipe graph - Incoming input side packet: py is special reserved name and cannot be used',
    });
  });

  it('InferMissingRequiredParameter: a side packet that no parameter gives', async () => {
    const { code, text } = await infer('add_side_packet', [fp32('in', 1)]);
    expect({ code, text }).toMatchObject({ code: FAILED_PRECONDITION, text: expect.stringContaining('val') as string });
    expect(text).toMatch(/^Failed to start mediapipe graph - /);
  });

  it('ScalarInference: shape []', async () => {
    const { response } = await infer('tensor_pass', [{ ...fp32('in', 3.5), shape: [] }]);
    expect(outputsOf(response)).toEqual([['out', 'FP32', [], hex(3.5)]]);
  });

  it('DynamicZeroDimension: shape [2,0]', async () => {
    const { response } = await infer('tensor_pass', [{ name: 'in', datatype: 'FP32', shape: [2, 0] }]);
    expect(outputsOf(response)).toEqual([['out', 'FP32', [2, 0], '']]);
  });

  it('TwoOutputs: both in one response', async () => {
    const { response } = await infer('two_outputs', [fp32('in1', 1), fp32('in2', 2)]);
    expect(outputsOf(response)).toEqual([
      ['out1', 'FP32', [1], hex(2)],
      ['out2', 'FP32', [1], hex(2)],
    ]);
  });

  it('RequestIdIsEchoed, with version "1" and the timestamp', async () => {
    const { response } = await infer('add_one', [fp32('in', 1)], { id: 'abc' });
    expect(response).toMatchObject({ id: 'abc', model_version: '1', parameters: { OVMS_MP_TIMESTAMP: {} } });
  });

  it('GraphThatEmitsNothing: an error, no hang', async () => {
    expect(await infer('no_output', [fp32('in', 1)])).toMatchObject({
      code: INVALID_ARGUMENT,
      text: expect.stringContaining('Mediapipe execution failed. MP status - ') as string,
    });
  });

  it("ErrorInProcess: the node's own message", async () => {
    expect(await infer('error_in_process', [fp32('in', 1)])).toMatchObject({
      code: INVALID_ARGUMENT,
      text: expect.stringContaining('what the calculator says') as string,
    });
  });

  it.each([
    ['NonExistentCalculatorUnary', 'unknown_calculator', 'no calculator is named'],
    ['ExceptionInGetContract', 'exception_in_contract', 'what the contract says'],
  ])('%s: not available', async (_, graph, text) => {
    const outcome = await infer(graph, [fp32('in', 1)]);
    expect(outcome).toMatchObject({ code: UNAVAILABLE, text: expect.stringContaining(text) as string });
  });
});

describe('what is wrong with a unary request', () => {
  it.each<[string, string, readonly Input[], string]>([
    ['TooManyInputs', 'add_one', [fp32('in', 1), fp32('more', 1)], 'more'],
    ['NoInputs', 'add_one', [], 'in'],
    ['OneOfTwoInputs', 'two_outputs', [fp32('in1', 1)], 'in2'],
    ['DuplicatedInputName', 'two_outputs', [fp32('in1', 1), fp32('in1', 1)], 'in1'],
    ['UnexpectedInputName', 'add_one', [fp32('other', 1)], 'other'],
    ['NegativeDimension', 'tensor_pass', [{ name: 'in', datatype: 'FP32', shape: [-1] }], 'in'],
    ['ZeroDimensionWithData', 'tensor_pass', [{ ...fp32('in', 1), shape: [0] }], 'in'],
    ['BufferShorter', 'add_one', [{ ...fp32('in', 1), raw: Buffer.alloc(3) }], 'in'],
    ['BufferLonger', 'add_one', [{ ...fp32('in', 1), raw: Buffer.alloc(5) }], 'in'],
    ['UnknownDatatype', 'tensor_pass', [{ ...fp32('in', 1), datatype: 'FP33' }], 'FP33'],
    [
      'WrongNumberOfValues',
      'tensor_pass',
      [{ name: 'in', datatype: 'FP32', shape: [2], contents: { fp32_contents: [1] } }],
      'in',
    ],
  ])('%s', async (_, graph, inputs, text) => {
    const outcome = await infer(graph, inputs);
    expect(outcome).toMatchObject({ code: INVALID_ARGUMENT, text: expect.stringContaining(text) as string });
    expect(outcome.response).toBeUndefined();
  });

  it('RawCountMismatch', async () => {
    const outcome = await infer('add_one', [fp32('in', 1)], { raw_input_contents: [Buffer.alloc(4), Buffer.alloc(4)] });
    expect(outcome).toMatchObject({ code: INVALID_ARGUMENT, text: expect.stringContaining('2') as string });
  });
});

describe('IMAGE inputs', () => {
  const image = (datatype: string, shape: readonly number[], name = 'in'): Input => ({ name, datatype, shape });

  it.each<[string, readonly Input[], string]>([
    ['ImageWrongInputName', [image('UINT8', [2, 2, 3], 'other')], 'other'],
    ['ImageNoInputs', [], 'in'],
    ['ImageOneDimension', [image('UINT8', [12])], 'Invalid Mediapipe Image input shape size. Expected: 3; Actual: 1'],
    [
      'ImageZeroHeight',
      [image('UINT8', [0, 2, 3])],
      'height. Expected greater than 0; Actual: 0; Expected layout - HWC.',
    ],
    [
      'ImageZeroWidth',
      [image('UINT8', [2, 0, 3])],
      'width. Expected greater than 0; Actual: 0; Expected layout - HWC.',
    ],
    [
      'ImageZeroChannels',
      [image('UINT8', [2, 2, 0])],
      'number of channels. Expected greater than 0; Actual: 0; Expected layout - HWC.',
    ],
    ['ImageNegativeHeight', [image('UINT8', [-2, 2, 3])], 'in'],
    [
      'ImageInt64',
      [image('INT64', [2, 2, 3])],
      'Invalid KFS request datatype, conversion to Mediapipe ImageFrame format failed.',
    ],
    [
      'ImageTwoChannels',
      [image('UINT8', [2, 2, 2])],
      'Invalid KFS request datatype, conversion to Mediapipe ImageFrame format failed.',
    ],
    ['ImageShapeOverflow', [{ ...image('UINT8', [2 ** 31 - 1, 2 ** 31 - 1, 3]), raw: Buffer.alloc(12) }], ''],
    ['ImageBufferSize', [{ ...image('UINT8', [2, 2, 3]), raw: Buffer.alloc(11) }], 'in'],
  ])('%s', async (_, inputs, text) => {
    expect(await infer('image_pass', inputs)).toMatchObject({
      code: INVALID_ARGUMENT,
      text: expect.stringContaining(text) as string,
    });
  });

  it.each([
    ['UINT8', 3, 'UINT8'],
    ['INT8', 3, 'UINT8'],
    ['UINT16', 3, 'UINT16'],
    ['INT16', 3, 'UINT16'],
    ['FP32', 1, 'FP32'],
    ['FP32', 4, 'FP32'],
    ['UINT8', 1, 'UINT8'],
    ['UINT8', 4, 'UINT8'],
  ])('ImageFormats: %s with %i channels comes back as %s', async (datatype, channels, back) => {
    const { response } = await infer('image_pass', [image(datatype, [2, 2, channels])]);
    expect(outputsOf(response).map(([name, type, shape]) => [name, type, shape])).toEqual([
      ['out', back, [2, 2, channels]],
    ]);
  });

  it('ImageViaContents is taken like raw contents', async () => {
    const contents = { uint_contents: Array.from({ length: 12 }, (_, at) => at) };
    const { response } = await infer('image_pass', [{ ...image('UINT8', [2, 2, 3]), contents }]);
    expect(outputsOf(response)).toEqual([['out', 'UINT8', [2, 2, 3], '000102030405060708090a0b']]);
  });
});

describe('typed contents', () => {
  const FIELDS: readonly (readonly [string, string])[] = [
    ['FP32', 'fp32_contents'],
    ['FP64', 'fp64_contents'],
    ['INT8', 'int_contents'],
    ['INT16', 'int_contents'],
    ['INT32', 'int_contents'],
    ['INT64', 'int64_contents'],
    ['UINT8', 'uint_contents'],
    ['UINT16', 'uint_contents'],
    ['UINT32', 'uint_contents'],
    ['UINT64', 'uint64_contents'],
    ['BOOL', 'bool_contents'],
  ];

  it.each(FIELDS)('TypedContents: %s in %s', async (datatype, field) => {
    const values = datatype === 'BOOL' ? [true, false] : [1, 0];
    const { code, response } = await infer('tensor_pass', [
      { name: 'in', datatype, shape: [2], contents: { [field]: values } },
    ]);
    expect(code).toBe(0);
    expect(outputsOf(response).map(([name, type, shape]) => [name, type, shape])).toEqual([['out', datatype, [2]]]);
  });
});
