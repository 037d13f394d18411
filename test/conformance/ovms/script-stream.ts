import type { KserveGrpc } from '../../support/kserve-grpc.ts';

type Inputs = Readonly<Record<string, number>>;

/** A request with one FP32 [1] tensor per input. */
export function request(graph: string, inputs: Inputs, timestamp?: number, parameters: object = {}): object {
  const raw = (value: number): Buffer => Buffer.from(Float32Array.of(value).buffer);
  return {
    model_name: graph,
    inputs: Object.keys(inputs).map((name) => ({ name, datatype: 'FP32', shape: [1] })),
    raw_input_contents: Object.values(inputs).map(raw),
    parameters: {
      ...parameters,
      ...(timestamp === undefined ? {} : { OVMS_MP_TIMESTAMP: { int64_param: timestamp } }),
    },
  };
}

/** One message of the stream, as proto-loader has it. */
export interface ScriptResponse {
  readonly error_message: string;
  readonly infer_response: {
    readonly outputs: readonly { readonly name: string; readonly datatype: string }[];
    readonly raw_output_contents: readonly Buffer[];
    readonly parameters: { readonly OVMS_MP_TIMESTAMP: { readonly int64_param: string } };
  };
}

export interface ScriptStream {
  /** What came, as `out=4.5@0`, and the texts of refused requests. */
  readonly seen: string[];
  readonly code: number;
  readonly text: string;
}

/** Sends all and half-closes. */
export async function streamScripts(grpc: KserveGrpc, requests: readonly object[]): Promise<ScriptStream> {
  const { code, text, responses } = await grpc.stream('ModelStreamInfer', requests);
  const seen = (responses as ScriptResponse[]).flatMap(({ error_message, infer_response }) => {
    if (error_message !== '') return [error_message];
    const timestamp = infer_response.parameters.OVMS_MP_TIMESTAMP.int64_param;
    return infer_response.outputs.map(({ name, datatype }, i) => {
      const bytes = infer_response.raw_output_contents[i] ?? Buffer.alloc(4);
      const value = datatype === 'BYTES' ? bytes.toString('utf8', 4) : Number(bytes.readFloatLE(0).toFixed(3));
      return `${name}=${value}@${timestamp}`;
    });
  });
  return { seen, code, text };
}
