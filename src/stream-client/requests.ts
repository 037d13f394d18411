import { InferenceError } from '../client/inference-error.ts';
import type { ClientRequest } from '../client/request.ts';
import type { VideoFrame } from '../media/frame.ts';
import { encodeBytes } from '../tensor/bytes.ts';
import { tensorOf, type Tensor } from '../tensor/tensor.ts';
import type { StreamClientOptions } from './options.ts';

/** How requests of a run look: what the options leave open, the servable's metadata say. */
export interface RequestPlan {
  readonly model: string;
  readonly version: string;
  readonly inputName: string;
  /** Undefined: all outputs are asked for, and the first that is a picture is shown. */
  readonly outputName: string | undefined;
  /**
   * The output that says of its frame that it is done, where outputs come one by one, as a graph's do in a stream. Undefined:
   * whichever is the first.
   */
  readonly lastOutput: string | undefined;
  readonly encoding: 'raw' | 'jpeg';
  readonly datatype: 'UINT8' | 'FP32';
  readonly hasBatch: boolean;
  /** Times are sent: only a stream has a time line. */
  readonly hasTimestamps: boolean;
}

/** @throws InferenceError where the server does not serve the model, or cannot be reached */
export async function planRequests(options: StreamClientOptions): Promise<RequestPlan> {
  const { client, model, version = '', inputName, encoding = 'raw', mode = 'stream' } = options;
  const { inputs, outputs } = await client.modelMetadata(model, version);
  const input = inputs.find(({ name }) => name === inputName);
  if (input === undefined && inputs.length > 0 && options.preprocess === undefined) {
    const names = inputs.map(({ name }) => `"${name}"`).join(', ');
    throw new InferenceError('INVALID_ARGUMENT', `"${model}" has no input "${inputName}"; it has ${names}`);
  }
  const names = outputs.map(({ name }) => name);
  if (options.outputName !== undefined && names.length > 0 && !names.includes(options.outputName)) {
    throw new InferenceError(
      'INVALID_ARGUMENT',
      `"${model}" has no output "${options.outputName}"; it has "${names.join('", "')}"`,
    );
  }
  const usual = names.includes('output') ? 'output' : names.length === 1 ? names[0] : undefined;
  return {
    model,
    version,
    inputName,
    lastOutput: options.outputName ?? usual,
    outputName: options.outputName ?? (options.postprocess === undefined ? usual : undefined),
    encoding,
    datatype: options.datatype ?? (input?.datatype === 'FP32' ? 'FP32' : 'UINT8'),
    hasBatch: options.hasBatch ?? input?.shape.length === 4,
    hasTimestamps: mode === 'stream',
  };
}

/** @param inputs of a preprocess callback; else the frame itself is the input */
export function requestOf(plan: RequestPlan, frame: VideoFrame, inputs?: readonly Tensor[]): ClientRequest {
  const { model, version, outputName, encoding, hasTimestamps } = plan;
  const parameters = encoding === 'jpeg' ? { parameters: { content_type: 'image/jpeg' } } : {};
  return {
    model,
    version,
    id: String(frame.number),
    inputs: inputs ?? [inputOf(plan, frame)],
    ...(outputName !== undefined && { outputs: [{ name: outputName, ...parameters }] }),
    ...(hasTimestamps && { parameters: { OVMS_MP_TIMESTAMP: BigInt(frame.timestampUs) } }),
  };
}

function inputOf({ inputName, datatype, hasBatch }: RequestPlan, frame: VideoFrame): Tensor {
  const { width, height, format, data } = frame;
  if (format === 'jpeg') return { name: inputName, datatype: 'BYTES', shape: [1], data: encodeBytes([data]) };
  const shape = hasBatch ? [1, height, width, 3] : [height, width, 3];
  return tensorOf(inputName, datatype, shape, datatype === 'FP32' ? Float32Array.from(data) : data);
}
